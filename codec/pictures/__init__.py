"""Everything between picture files and arrays of samples."""
