#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::{Broken, hex, verify, verify_reader};

/// State that does not repeat, so that no damage hides in it.
fn state() -> Vec<u8> {
    let mut seed = 7_u32;
    (0..20_000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .collect()
}

fn meta(size: usize) -> String {
    format!(
        r#"{{"Version":1,"ID":"bolt-snapshot","Index":136,"Term":3,"Peers":null,"Configuration":{{"Servers":[{{"Suffrage":0,"ID":"n1","Address":"127.0.0.1:9301"}},{{"Suffrage":1,"ID":"n4","Address":"127.0.0.1:9331"}}]}},"ConfigurationIndex":52,"Size":{size}}}"#
    )
}

fn sums(meta: &str, state: &[u8]) -> String {
    let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
    format!(
        "{}  meta.json\n{}  state.bin\n",
        digest(meta.as_bytes()),
        digest(state)
    )
}

/// The parts as an archive, in the given order, with or without its closing blocks.
fn archive(parts: &[(&str, &[u8])], closed: bool) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len()).unwrap());
        header.set_mode(0o600);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    let mut bytes = builder.into_inner().unwrap();
    if !closed {
        bytes.truncate(bytes.len() - 1024);
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(&bytes).unwrap();
    gzip.finish().unwrap()
}

fn whole() -> Vec<u8> {
    let (state, meta) = (state(), meta(20_000));
    let sums = sums(&meta, &state);
    archive(
        &[
            ("meta.json", meta.as_bytes()),
            ("state.bin", &state),
            ("SHA256SUMS", sums.as_bytes()),
            ("SHA256SUMS.sealed", &[7; 191]),
        ],
        true,
    )
}

fn broken(bytes: &[u8]) -> Broken {
    verify_reader(bytes).unwrap_err()
}

#[test]
fn a_whole_snapshot_tells_its_index_term_and_members() {
    let bytes = whole();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("one.snap");
    std::fs::write(&file, &bytes).unwrap();
    let verified = verify(&file).unwrap();
    assert_eq!(
        (verified.index, verified.term, verified.configuration_index),
        (Some(136), Some(3), Some(52))
    );
    assert_eq!(
        verified.members,
        [("n1".to_owned(), true), ("n4".to_owned(), false)]
    );
    assert_eq!(verified.bytes, u64::try_from(bytes.len()).unwrap());
    assert_eq!(verified.sha256, hex(&Sha256::digest(&bytes)));
}

#[test]
fn accident_22_a_file_cut_anywhere_is_never_called_whole() {
    let bytes = whole();
    for cut in [
        1,
        8,
        9,
        600,
        1024,
        3 * 1024,
        10 * 1024,
        bytes.len() - 30,
        bytes.len() - 1,
    ] {
        let cut_file = &bytes[..bytes.len() - cut];
        assert!(verify_reader(cut_file).is_err(), "cut by {cut} bytes");
    }
}

#[test]
fn accident_22_a_stream_that_was_cut_and_closed_cleanly_is_found_out() {
    // What a server makes that fails in the middle and still ends its gzip stream properly.
    let (state, meta) = (state(), meta(20_000));
    let sums = sums(&meta, &state);
    let meta = ("meta.json", meta.as_bytes());
    let state = ("state.bin", &state[..]);
    let sums = ("SHA256SUMS", sums.as_bytes());
    assert!(matches!(
        broken(&archive(&[meta, state], true)),
        Broken::Missing("SHA256SUMS")
    ));
    assert!(matches!(
        broken(&archive(&[meta, state, sums], true)),
        Broken::Missing("SHA256SUMS.sealed")
    ));
    let empty = ("SHA256SUMS.sealed", &[][..]);
    assert!(matches!(
        broken(&archive(&[meta, state, sums, empty], true)),
        Broken::Empty(_)
    ));
    let sealed = ("SHA256SUMS.sealed", &[7; 191][..]);
    assert!(matches!(
        broken(&archive(&[meta, state, sums, sealed], false)),
        Broken::NoEnd | Broken::Cut(_)
    ));
    assert!(matches!(
        broken(&archive(&[meta, sums, state, sealed], true)),
        Broken::OutOfOrder(_)
    ));
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let bytes = whole();
    // Beyond the gzip header and the first block's padding bits, which nothing covers.
    for at in (15..bytes.len()).step_by(997) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(
            verify_reader(&damaged[..]).is_err(),
            "bit flipped in byte {at}"
        );
    }
}

#[test]
fn a_wrong_digest_is_found_though_the_archive_is_sound() {
    let (state, meta) = (state(), meta(20_000));
    let sums = sums(&meta, b"another state");
    let parts = [
        ("meta.json", meta.as_bytes()),
        ("state.bin", &state[..]),
        ("SHA256SUMS", sums.as_bytes()),
        ("SHA256SUMS.sealed", &[7; 191][..]),
    ];
    assert!(matches!(broken(&archive(&parts, true)), Broken::Digest(name) if name == "state.bin"));
}

#[test]
fn other_files_are_told_apart() {
    assert!(matches!(broken(b"hello"), Broken::NotGzip));
    assert!(matches!(broken(b""), Broken::NotGzip));
    let foreign = archive(&[("readme.txt", b"x")], true);
    assert!(matches!(broken(&foreign), Broken::OutOfOrder(_)));
    let mut longer = whole();
    longer.extend_from_slice(b"more");
    assert!(matches!(broken(&longer), Broken::Trailing));
}
