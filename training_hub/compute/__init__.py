"""Work spread over threads, processes or a Dask cluster, by one setting."""
