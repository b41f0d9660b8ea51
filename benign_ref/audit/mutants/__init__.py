"""Wrong versions of the package's own code, applied to copies of it in memory."""
