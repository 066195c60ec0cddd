//! What the systems themselves permit, staged on real programs and put to the whole console by
//! REST. What happened is read from the systems, never from the console's own word. Numbers are
//! names: they are those of the list of accidents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "accidents/console.rs"]
mod console;
#[path = "accidents/demo.rs"]
mod demo;
#[path = "accidents/door.rs"]
mod door;
#[path = "accidents/etcd.rs"]
mod etcd;
#[path = "../drivers/tests/etcd_cluster/mod.rs"]
mod etcd_cluster;
#[path = "accidents/openbao.rs"]
mod openbao;
#[path = "../drivers/tests/openbao_cluster/mod.rs"]
mod openbao_cluster;
#[path = "accidents/openziti.rs"]
mod openziti;
#[path = "../drivers/tests/openziti_stand_in/mod.rs"]
mod openziti_stand_in;
#[path = "accidents/raftadmin.rs"]
mod raftadmin;
// It is shared with the driver's own tests.
#[allow(dead_code)]
#[path = "../drivers/tests/raftadmin/nodes.rs"]
mod raftadmin_nodes;
mod support;
