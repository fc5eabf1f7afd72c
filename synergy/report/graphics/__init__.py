"""Drawings of a report, one file each; numbers in, inline SVG out."""
