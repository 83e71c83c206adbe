//! A client of the Seam API.
