"""What every room uses: errors, files, images, boxes, tables."""
