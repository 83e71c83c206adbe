//! The wire types of the account directory.
