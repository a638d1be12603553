"""The service under a real systemd: the package is installed offline into a throw-away root and booted."""
