"""Links and images of newsletters that are counted, statistics, and newsletters read in the browser."""
