//! What stands in front of every route: requests get an id and an end, answers get headers,
//! errors get one shape, other sites get nothing.

pub mod client;
pub mod cross_site;
pub mod headers;
pub mod oversize;
pub mod peer;
pub mod problems;
pub mod request;
