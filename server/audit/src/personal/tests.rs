#![allow(clippy::unwrap_used)]

use quorate_domain::audit::ERASED;

use super::*;

fn entry() -> Entry {
    let stored = r#"{"seq":7,"time":"2026-11-21T14:00:00.000Z","kind":"access","action":"account_created","actor":{"issuer":"local","subject":"0193","name":"ada","means":"password"},"source":{"peer":"10.0.0.7","user_agent":"browser","request_id":"r","session":"s"},"text":"Account bob was created.","sent":{"account":"bob"}}"#;
    serde_json::from_str(stored).unwrap()
}

fn key(seed: u8) -> PersonKey {
    PersonKey::of_bytes(&[seed; 32]).unwrap()
}

fn sealed(mut entry: Entry, actor: &PersonKey, account: &PersonKey) -> Entry {
    let about = Personal::of_account(&mut entry, "bob");
    let own = Personal::of_actor(&mut entry, actor);
    let to = Binding::of(&entry);
    entry.sealed = vec![
        actor.seal(&own, &to).unwrap(),
        account.seal(&about, &to).unwrap(),
    ];
    entry
}

#[test]
fn what_names_people_is_unreadable_without_their_keys_and_comes_back_with_them() {
    let stored = sealed(entry(), &key(1), &key(2));
    let text = serde_json::to_string(&stored).unwrap();
    for word in ["ada", "bob", "10.0.0.7", "browser"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    assert!(text.contains("0193") && text.contains("Account (name) was created."));
    let mut people = People::default();
    people.add(key(1));
    people.add(key(2));
    let mut opened = stored.clone();
    people.open(&mut opened);
    assert_eq!(opened, entry());

    let mut people = People::default();
    people.add(key(2));
    let mut erased = stored;
    people.open(&mut erased);
    assert_eq!(erased.actor.name, ERASED);
    assert_eq!((erased.source.peer, erased.sealed.len()), (None, 1));
    assert_eq!(erased.text, "Account bob was created.");
}

#[test]
fn a_text_that_names_two_people_names_neither_under_the_others_key() {
    let mut told = entry();
    told.text = "The session of bob ended: ada came with it.".to_owned();
    let stored = sealed(told.clone(), &key(1), &key(2));
    assert_eq!(
        stored.text,
        "The session of (name) ended: (name) came with it."
    );
    for (keys, text) in [
        (vec![1, 2], told.text.as_str()),
        (vec![1], "The session of (name) ended: ada came with it."),
        (vec![2], "The session of bob ended: (name) came with it."),
        (vec![], stored.text.as_str()),
    ] {
        let mut people = People::default();
        keys.iter().for_each(|seed| people.add(key(*seed)));
        let mut opened = stored.clone();
        people.open(&mut opened);
        assert_eq!(opened.text, text, "{keys:?}");
    }
    let about = Personal::of_account(&mut told, "bob");
    assert!(!serde_json::to_string(&about).unwrap().contains("ada"));
}

#[test]
fn a_subject_that_is_a_name_is_sealed_with_it() {
    let mut entry = entry();
    entry.actor.subject = "ada@example.com".to_owned();
    let personal = Personal::of_actor(&mut entry, &key(1));
    assert_eq!(entry.actor.subject, key(1).id());
    assert_eq!(personal.subject.as_deref(), Some("ada@example.com"));
}

#[test]
fn names_are_masked_where_they_stand_for_themselves() {
    for (text, name, expected) in [
        ("ada signed in.", "ada", Some("(name) signed in.")),
        ("adamant ada's ada", "ada", Some("adamant (name)'s (name)")),
        ("Canada", "ada", None),
        ("anything", "", None),
    ] {
        assert_eq!(masked(text, name).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_box_opens_for_its_own_entry_alone_and_one_of_before_for_any() {
    let mut first = entry();
    (first.schema, first.id) = (Some(3), Some("0193-first".to_owned()));
    let stored = sealed(first.clone(), &key(1), &key(2));
    let mut people = People::default();
    people.add(key(1));
    people.add(key(2));
    let mut opened = stored.clone();
    people.open(&mut opened);
    assert_eq!(opened, first);
    type Change = fn(&mut Entry);
    let changes: [Change; 4] = [
        |entry| entry.seq = 8,
        |entry| entry.id = Some("0193-other".to_owned()),
        |entry| entry.id = None,
        |entry| entry.schema = Some(2),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut moved = stored.clone();
        change(&mut moved);
        people.open(&mut moved);
        assert_eq!(moved.sealed, stored.sealed, "change {number}");
        assert_eq!(moved.actor.name, ERASED);
    }
    // Under another's key it does not open either, whatever it says of itself.
    let (_, own) = split(&stored.sealed[0]).unwrap();
    assert_eq!(key(2).open(own, &Binding::of(&stored)), None);

    let before = sealed(entry(), &key(1), &key(2));
    let mut moved = before.clone();
    moved.seq = 8;
    people.open(&mut moved);
    assert_eq!(moved.actor.name, "ada");
}

#[test]
fn no_other_key_opens_a_part_and_no_bit_of_it_is_without_meaning() {
    let any = Binding::default();
    let part = key(1).seal(&Personal::default(), &any).unwrap();
    let (id, sealed) = split(&part).unwrap();
    assert_eq!(id, key(1).id());
    assert_eq!(key(1).open(sealed, &any), Some(Personal::default()));
    assert_eq!(key(2).open(sealed, &any), None);
    for at in 0..sealed.len() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[at] ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(key(1).open(&changed, &any), None, "character {at}");
    }
    assert_ne!(key(1).seal(&Personal::default(), &any).unwrap(), part);
}

#[test]
fn a_list_of_keys_is_read_in_one_way_only() {
    let mut people = People::default();
    people.add(key(1));
    people.add(key(2));
    let text = people.text(|_| true);
    assert_eq!(People::parse(&text).unwrap().text(|_| true), text);
    let lines: Vec<&str> = text.lines().collect();
    let swapped = format!("{}\n{}\n", lines[1], lines[0]);
    let twice = format!("{0}\n{0}\n", lines[0]);
    let others = format!(
        "{} {}\n",
        key(1).id(),
        lines[0].split_once(' ').unwrap().1.replace('A', "B")
    );
    for wrong in [
        swapped,
        twice,
        others,
        text.trim_end().to_owned(),
        "x".to_owned(),
    ] {
        assert!(People::parse(&wrong).is_none(), "{wrong}");
    }
}
