//! What every driver must do, whatever it speaks: the same checks on the simulated cluster, on
//! recorded answers, and on real clusters where they can be had.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/checks.rs"]
mod checks;
#[path = "contract/etcd.rs"]
mod etcd;
mod etcd_cluster;
#[path = "contract/openbao.rs"]
mod openbao;
mod openbao_cluster;
#[path = "contract/openbao_input.rs"]
mod openbao_input;
#[path = "contract/openziti.rs"]
mod openziti;
mod openziti_stand_in;
#[path = "contract/replay.rs"]
// It is shared with the tests of etcd, which make it lie in more ways.
#[allow(dead_code)]
mod replay;
#[path = "contract/simulated.rs"]
mod simulated;
#[path = "contract/vault.rs"]
mod vault;
