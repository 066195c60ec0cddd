//! The words of the cluster page.
