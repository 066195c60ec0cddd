//! Records what a real etcd answers in every situation the driver's tests know, in the form of
//! `tests/recorded/etcd-*`.
//!
//! `cargo run -p quorate-drivers --example record_etcd -- old|middle|new DIR` starts a cluster of
//! its own (etcd 3.4 of Debian, 3.5 or 3.6 built from their modules), brings it into one situation after the
//! other, and writes a file for each, a list of them, and where the members were. It takes about
//! a minute. Passwords and tokens never get into the files.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod accidents;
mod book;
#[path = "../../tests/etcd_cluster/mod.rs"]
mod etcd_cluster;
mod passwords;
mod situations;

use std::{env, fs, path::PathBuf};

use book::Book;
use etcd_cluster::{Shape, Version};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut words = env::args().skip(1);
    let version = match words.next().as_deref() {
        Some("old") => Version::Old,
        Some("middle") => Version::Middle,
        Some("new") => Version::New,
        _ => panic!("usage: record_etcd old|middle|new DIR"),
    };
    let dir = PathBuf::from(words.next().expect("usage: record_etcd old|middle|new DIR"));
    fs::create_dir_all(&dir).unwrap();
    let shape = Shape {
        version,
        ..Shape::default()
    };
    let cluster = etcd_cluster::start(shape).await.expect("a real etcd");
    let mut book = Book::new(cluster, dir).await;
    book.lead("n1").await;
    book.newcomer().await;
    book.healthy().await;
    book.refusals().await;
    book.frozen().await;
    book.passwords().await;
    book.changes().await;
    book.alarm().await;
    book.broken().await;
    book.close();
}
