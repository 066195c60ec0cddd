//! Every sentence the console says, by code, in one catalogue.
