"""What a calibration did: the pictures, the table and the files."""
