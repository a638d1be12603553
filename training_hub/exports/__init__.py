"""Tables for dashboards elsewhere: CSV and Parquet, as streams."""
