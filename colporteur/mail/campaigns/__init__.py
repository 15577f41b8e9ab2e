"""Newsletters as bytes: written, set in a frame, made safe, with fields and links in their places."""
