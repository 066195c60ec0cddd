//! People: accounts, one-time links, passwords.

use std::{collections::BTreeMap, time::Duration};

use quorate_control::{Control, ControlError, Operator, SessionRecord, everywhere};
use quorate_domain::{
    audit::{EntryKind, Filter, Means, Outcome},
    permission::Duty,
};
use quorate_drivers::Secret;

use crate::stage::{person, source};

const PASSWORD: &str = "kelp violin tundra";

pub struct Office {
    pub control: Control,
    directory: tempfile::TempDir,
}

impl Office {
    pub async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let control = Control::offline(directory.path().to_owned()).await.unwrap();
        Self { control, directory }
    }

    pub fn machine(&self) -> Operator {
        self.control.command_line_operator()
    }

    /// An account with a password, signed in with a session.
    pub async fn hires(&self, name: &str, role: Duty) -> Operator {
        let (account, link) = self
            .control
            .account_create(&self.machine(), name, everywhere(&[role]))
            .await
            .unwrap();
        self.control
            .sign_in_by_link(link, &source("10.0.0.1"))
            .await
            .unwrap();
        let who = self.session(&account.id, &format!("{name}-1")).await;
        self.control
            .password_set(&who, None, Secret::new(PASSWORD))
            .await
            .unwrap();
        who
    }

    async fn session(&self, account: &str, hash: &str) -> Operator {
        let record = SessionRecord {
            account: Some(account.to_owned()),
            data: BTreeMap::new(),
            expires_at: self.control.now().plus_ms(3_600_000),
            peer: Some("10.0.0.1".to_owned()),
            user_agent: None,
        };
        self.control.session_insert(hash, record).await.unwrap();
        self.control
            .operator(account, Means::Password, hash, source("10.0.0.1"))
            .await
            .unwrap()
            .unwrap()
    }

    async fn last_entry(&self) -> quorate_domain::audit::Entry {
        let page = self
            .control
            .audit(&self.machine(), &Filter::default(), 0, 1_000)
            .await
            .unwrap();
        page.items.last().unwrap().clone()
    }
}

#[tokio::test]
async fn the_first_account_signs_in_by_a_link_that_works_once() {
    let office = Office::open().await;
    let (account, link) = office
        .control
        .account_create(&office.machine(), "ada", everywhere(&[Duty::Admin]))
        .await
        .unwrap();
    assert!(!account.has_password);
    assert!(link.reveal().len() >= 43, "256 bits");
    let signed_in = office
        .control
        .sign_in_by_link(link.clone(), &source("10.0.0.1"))
        .await
        .unwrap();
    assert_eq!(signed_in.id, account.id);
    let entry = office.last_entry().await;
    assert_eq!(
        (entry.action.as_str(), entry.actor.means),
        ("sign_in", Means::SignInLink)
    );
    let again = office
        .control
        .sign_in_by_link(link, &source("10.0.0.1"))
        .await;
    assert!(matches!(again, Err(ControlError::SignInFailed)));
    assert_eq!(office.last_entry().await.outcome, Some(Outcome::Failed));
}

#[tokio::test]
async fn whoever_forgot_a_password_sets_another_after_a_link() {
    let office = Office::open().await;
    let ada = office.hires("ada", Duty::Admin).await;
    let control = &office.control;
    let new = || Secret::new("lantern orchid gravel");
    let refused = control.password_set(&ada, None, new()).await;
    assert!(matches!(refused, Err(ControlError::SignInFailed)));
    let peer = source("10.0.0.1");
    let by_link = control.operator(&ada.actor.subject, Means::SignInLink, "ada-1", peer.clone());
    let by_link = by_link.await.unwrap().unwrap();
    assert_eq!(by_link.actor.means, Means::SignInLink);
    control.password_set(&by_link, None, new()).await.unwrap();
    assert_eq!(office.last_entry().await.actor.means, Means::SignInLink);
    control.sign_in("ada", new(), &peer).await.unwrap();
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_gets_in() {
    let office = Office::open().await;
    let (_, link) = office
        .control
        .account_create(&office.machine(), "ada", everywhere(&[Duty::Admin]))
        .await
        .unwrap();
    let tries = (0..8).map(|number| {
        let (control, link) = (office.control.clone(), link.clone());
        async move {
            control
                .sign_in_by_link(link, &source(&format!("10.0.0.{number}")))
                .await
        }
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_new_link_takes_the_place_of_the_old_one() {
    let office = Office::open().await;
    office.hires("ada", Duty::Admin).await;
    let old = office
        .control
        .account_link(&office.machine(), "ada")
        .await
        .unwrap();
    let new = office
        .control
        .account_link(&office.machine(), "ada")
        .await
        .unwrap();
    assert!(
        office
            .control
            .sign_in_by_link(old, &source("10.0.0.1"))
            .await
            .is_err()
    );
    assert!(
        office
            .control
            .sign_in_by_link(new, &source("10.0.0.1"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_password_signs_in_and_wrong_ones_and_unknown_names_get_the_same_answer() {
    let office = Office::open().await;
    office.hires("ada", Duty::Admin).await;
    let peer = source("10.0.0.2");
    let account = office
        .control
        .sign_in("ada", Secret::new(PASSWORD), &peer)
        .await
        .unwrap();
    assert!(account.last_sign_in.is_some() && account.has_password);
    let wrong = office
        .control
        .sign_in("ada", Secret::new("wrong"), &peer)
        .await
        .unwrap_err();
    let unknown = office
        .control
        .sign_in("zoe", Secret::new(PASSWORD), &peer)
        .await
        .unwrap_err();
    assert_eq!(wrong.to_string(), unknown.to_string());
    assert_eq!(wrong.problem(), unknown.problem());
    let entry = office.last_entry().await;
    assert_eq!(
        (entry.kind, entry.outcome),
        (EntryKind::Access, Some(Outcome::Failed))
    );
}

#[tokio::test]
async fn guessing_is_slowed_down_and_recorded() {
    let office = Office::open().await;
    office.hires("ada", Duty::Admin).await;
    let peer = source("10.66.0.1");
    crate::stage::until("whoever guesses has to wait for long", || async {
        let guess = office
            .control
            .sign_in("ada", Secret::new("guess"), &peer)
            .await;
        match guess.unwrap_err() {
            ControlError::Throttled { seconds: 2.. } => Some(()),
            _ => None,
        }
    })
    .await;
    let right = office
        .control
        .sign_in("ada", Secret::new(PASSWORD), &peer)
        .await;
    assert!(
        matches!(right, Err(ControlError::Throttled { .. })),
        "also for the right one"
    );
    let home = office
        .control
        .sign_in("ada", Secret::new(PASSWORD), &source("10.0.0.1"))
        .await;
    assert!(home.is_ok(), "the owner elsewhere is not locked out");
}

#[tokio::test]
async fn a_password_typed_as_a_name_is_not_written_down() {
    let office = Office::open().await;
    let typed = "Kelp Violin Tundra 7!";
    let _refused = office
        .control
        .sign_in(typed, Secret::new("x"), &source("10.0.0.1"))
        .await;
    let entry = serde_json::to_string(&office.last_entry().await).unwrap();
    assert!(!entry.contains("Violin"), "{entry}");
}

#[tokio::test]
async fn a_new_password_needs_the_current_one_and_ends_other_sessions() {
    let office = Office::open().await;
    let ada = office.hires("ada", Duty::Admin).await;
    office.session(&ada.actor.subject, "ada-2").await;
    let new = || Secret::new("ferry marble onion");
    let without = office.control.password_set(&ada, None, new()).await;
    assert!(matches!(without, Err(ControlError::SignInFailed)));
    let wrong = office
        .control
        .password_set(&ada, Some(Secret::new("no")), new())
        .await;
    assert!(matches!(wrong, Err(ControlError::SignInFailed)));
    let weak = office
        .control
        .password_set(&ada, Some(Secret::new(PASSWORD)), Secret::new("short"))
        .await;
    assert_eq!(weak.unwrap_err().problem().status, 400);
    assert!(office.control.session_alive("ada-2").await.unwrap());

    office
        .control
        .password_set(&ada, Some(Secret::new(PASSWORD)), new())
        .await
        .unwrap();
    assert!(
        office.control.session_alive("ada-1").await.unwrap(),
        "one's own goes on"
    );
    assert!(!office.control.session_alive("ada-2").await.unwrap());
    assert!(
        office
            .control
            .sign_in("ada", new(), &source("10.0.0.1"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_an_ended_session_never_comes_back() {
    let office = Office::open().await;
    office.hires("ada", Duty::Admin).await;
    let bob = office.hires("bob", Duty::Operator).await;
    let record = office.control.session_load("bob-1").await.unwrap().unwrap();
    office
        .control
        .account_disable(&office.machine(), "bob", true)
        .await
        .unwrap();
    assert!(
        office
            .control
            .session_load("bob-1")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        !office
            .control
            .session_update("bob-1", record)
            .await
            .unwrap()
    );
    assert!(
        office
            .control
            .session_load("bob-1")
            .await
            .unwrap()
            .is_none()
    );
    let again = office
        .control
        .operator(
            &bob.actor.subject,
            Means::Password,
            "bob-1",
            source("10.0.0.1"),
        )
        .await;
    assert!(again.unwrap().is_none());
    let signed = office
        .control
        .sign_in("bob", Secret::new(PASSWORD), &source("10.0.0.1"))
        .await;
    assert!(matches!(signed, Err(ControlError::SignInFailed)));
    assert!(
        office
            .control
            .account_link(&office.machine(), "bob")
            .await
            .is_err()
    );

    office
        .control
        .account_disable(&office.machine(), "bob", false)
        .await
        .unwrap();
    assert!(
        office
            .control
            .sign_in("bob", Secret::new(PASSWORD), &source("10.0.0.1"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let office = Office::open().await;
    let ada = office.hires("ada", Duty::Admin).await;
    office.hires("bob", Duty::Operator).await;
    let viewer = || everywhere(&[Duty::Viewer]);
    assert!(
        office
            .control
            .account_disable(&ada, "ada", true)
            .await
            .is_err()
    );
    assert!(
        office
            .control
            .account_grants(&ada, "ada", viewer())
            .await
            .is_err()
    );
    office
        .control
        .account_grants(&ada, "bob", everywhere(&[Duty::Admin]))
        .await
        .unwrap();
    office
        .control
        .account_grants(&ada, "ada", viewer())
        .await
        .unwrap();
    let now = office
        .control
        .operator(
            &ada.actor.subject,
            Means::Password,
            "ada-1",
            source("10.0.0.1"),
        )
        .await;
    assert_eq!(
        now.unwrap().unwrap().grants,
        viewer(),
        "grants hold at once"
    );
    assert!(
        office
            .control
            .account_disable(&office.machine(), "bob", true)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn accounts_and_tokens_are_for_administrators() {
    let office = Office::open().await;
    office.hires("ada", Duty::Admin).await;
    for role in [Duty::Viewer, Duty::Operator, Duty::Approver, Duty::Auditor] {
        let who = person("eve", role);
        let grants = || everywhere(&[Duty::Viewer]);
        let life = Duration::from_secs(3_600);
        let control = &office.control;
        let answers = [
            control.accounts(&who).await.map(|_| ()),
            control
                .account_create(&who, "mallory", grants())
                .await
                .map(|_| ()),
            control.account_link(&who, "ada").await.map(|_| ()),
            control.account_disable(&who, "ada", true).await,
            control.account_grants(&who, "ada", grants()).await,
            control
                .token_create(&who, "ci", grants(), life)
                .await
                .map(|_| ()),
            control.token_revoke(&who, "ci").await,
            control.session_end(&who, "ada-1").await,
        ];
        for answer in answers {
            assert!(
                matches!(answer, Err(ControlError::NotAllowed { .. })),
                "{role:?} {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let office = Office::open().await;
    let long = "x".repeat(65);
    for name in [
        "",
        "Ada",
        "a b",
        "ada@example",
        "../etc",
        "ä",
        long.as_str(),
    ] {
        let grants = everywhere(&[Duty::Viewer]);
        let created = office
            .control
            .account_create(&office.machine(), name, grants)
            .await;
        assert!(
            matches!(created, Err(ControlError::Invalid { .. })),
            "{name}"
        );
    }
    office
        .control
        .account_create(&office.machine(), "ada", Vec::new())
        .await
        .unwrap();
    assert!(
        office
            .control
            .account_create(&office.machine(), "ada", Vec::new())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn no_secret_is_in_any_file() {
    let office = Office::open().await;
    office.hires("ada", Duty::Admin).await;
    let link = office
        .control
        .account_link(&office.machine(), "ada")
        .await
        .unwrap();
    let grants = everywhere(&[Duty::Viewer]);
    let life = Duration::from_secs(3_600);
    let (_, token) = office
        .control
        .token_create(&office.machine(), "ci", grants, life)
        .await
        .unwrap();
    let _refused = office
        .control
        .sign_in("ada", Secret::new("wrong pass phrase"), &source(""))
        .await;
    for file in std::fs::read_dir(office.directory.path()).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        for secret in [link.reveal(), token.reveal(), PASSWORD, "wrong pass phrase"] {
            assert!(!text.contains(secret), "{secret} in {path:?}");
        }
    }
}
