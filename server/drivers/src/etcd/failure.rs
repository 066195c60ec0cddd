//! What etcd says when it does not do what it was asked. Its own code and text decide; the HTTP
//! status of the same refusal differs from version to version. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    http::Reply,
    word::{SENTENCE, one_line},
};

/// An error in etcd's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// A gRPC code, where one was told.
    pub code: Option<u64>,
    pub text: String,
}

/// What a failure means for the request that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It certainly was not done; a stable code for it.
    NotDone(&'static str),
    /// It may have been done.
    Unknown,
}

/// Texts that settle the matter whatever the code: what etcd says, what it is called here.
const TEXTS: [(&str, &str); 21] = [
    ("user name is empty", "sign-in-needed"),
    ("invalid auth token", "token-refused"),
    ("permission denied", "denied"),
    ("authentication failed", "sign-in-failed"),
    ("member not found", "member-unknown"),
    ("in sync with leader", "learner-behind"),
    ("can only promote a learner", "already-voter"),
    ("Peer URLs already exists", "address-taken"),
    ("member ID already exist", "address-taken"),
    ("member URLs are invalid", "address-malformed"),
    ("too many learner", "learner-limit"),
    ("unhealthy cluster", "cluster-unhealthy"),
    ("not enough started members", "cluster-unhealthy"),
    ("not leader", "not-leader"),
    ("bad leader transferee", "target-not-possible"),
    ("not supported for learner", "asked-a-learner"),
    ("raft proposal dropped", "leader-busy"),
    ("too many requests", "leader-busy"),
    ("corrupt cluster", "data-corrupt"),
    ("leader changed", ""),
    ("timed out", ""),
];

impl Failure {
    /// The failure a complete answer tells; `None` for success.
    pub fn of(reply: &Reply) -> Option<Self> {
        if (200..300).contains(&reply.status) {
            return None;
        }
        Some(Self::read(&reply.body).unwrap_or_else(|| Self {
            // What the gateway does not know it answers as a plain page.
            code: matches!(reply.status, 404 | 405 | 501).then_some(12),
            text: format!("it answers {}", reply.status),
        }))
    }

    /// Both forms: flat, and the one of streams, which wraps it once more.
    pub fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Told {
            code: Option<u64>,
            grpc_code: Option<u64>,
            message: Option<String>,
            error: Option<Value>,
        }
        let told: Told = serde_json::from_slice(body).ok()?;
        if let Some(inner @ Value::Object(_)) = &told.error {
            return Self::read(inner.to_string().as_bytes());
        }
        let flat = told.error.as_ref().and_then(Value::as_str);
        let text = told.message.as_deref().or(flat)?;
        Some(Self {
            code: told.code.or(told.grpc_code),
            text: one_line(text, SENTENCE),
        })
    }

    pub fn says(&self, part: &str) -> bool {
        self.text.contains(part)
    }

    /// Without a name and a password it tells nothing.
    pub fn asks_for_sign_in(&self) -> bool {
        self.says("user name is empty")
    }

    /// The token has ended, or was never one.
    pub fn refuses_token(&self) -> bool {
        self.code == Some(16) || self.says("invalid auth token")
    }

    pub fn meaning(&self) -> Meaning {
        if let Some((_, code)) = TEXTS.iter().find(|(text, _)| self.says(text)) {
            return match *code {
                "" => Meaning::Unknown,
                code => Meaning::NotDone(code),
            };
        }
        match self.code {
            Some(3) => Meaning::NotDone("refused-by-backend"),
            // What etcd 3.6 says of a path it does not have.
            Some(5) if self.text == "Not Found" => Meaning::NotDone("not-supported"),
            Some(5) => Meaning::NotDone("refused-by-backend"),
            Some(7) => Meaning::NotDone("denied"),
            Some(9) => Meaning::NotDone("refused-by-backend"),
            Some(12) => Meaning::NotDone("not-supported"),
            Some(16) => Meaning::NotDone("token-refused"),
            _ => Meaning::Unknown,
        }
    }

    /// The sentence for a refusal called `code`.
    pub fn sentence(&self, code: &str) -> String {
        let known = match code {
            "sign-in-needed" => {
                "etcd asks for a name and a password; give the console `username` and `password_file`."
            }
            "token-refused" => "etcd does not take the console's token.",
            "denied" => "The console's user may not do this; it takes the role root.",
            "member-unknown" => "etcd does not know this member.",
            "learner-behind" => {
                "etcd holds the learner to be too far behind the leader, or not started."
            }
            "already-voter" => "etcd says that it is a voter already.",
            "address-taken" => "A member with this peer address is there already.",
            "address-malformed" => "etcd does not take this peer address.",
            "learner-limit" => {
                "etcd takes no more learners now; promote or remove the one that is there."
            }
            "cluster-unhealthy" => {
                "etcd holds the cluster to be unhealthy: a member is lost, or was back for less than \
                 five seconds. Nothing was changed."
            }
            "not-leader" => "The member asked leads no more; nothing was done.",
            "target-not-possible" => "etcd cannot hand leadership to this member.",
            "leader-busy" => "The leader took no request just now; nothing was done.",
            "not-supported" => "This version cannot do this.",
            _ => "",
        };
        if known.is_empty() {
            format!("It says: {}.", self.text.trim_end_matches('.'))
        } else {
            known.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(body: &str) -> Failure {
        Failure::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_same_failure_is_read_from_every_form() {
        let forms = [
            r#"{"error":"etcdserver: permission denied","message":"etcdserver: permission denied","code":7}"#,
            r#"{"code":7, "message":"etcdserver: permission denied"}"#,
            r#"{"error":{"grpc_code":2,"http_code":500,"message":"auth: permission denied","http_status":"Internal Server Error"}}"#,
            r#"{"error":{"code":7,"message":"etcdserver: permission denied"}}"#,
        ];
        for form in forms {
            assert_eq!(read(form).meaning(), Meaning::NotDone("denied"), "{form}");
        }
        assert!(Failure::read(b"Not Found").is_none());
    }

    #[test]
    fn what_ran_out_of_time_may_have_been_done() {
        for text in [
            "etcdserver: request timed out, leader transfer took too long",
            "context deadline exceeded",
            "etcdserver: leader changed",
        ] {
            let body = format!(r#"{{"message":"{text}","code":2}}"#);
            assert_eq!(read(&body).meaning(), Meaning::Unknown, "{text}");
        }
        assert_eq!(
            read(r#"{"message":"context deadline exceeded","code":4}"#).meaning(),
            Meaning::Unknown
        );
    }

    #[test]
    fn foreign_words_are_cut_and_cannot_steer_a_page() {
        let body = format!(r#"{{"message":"a\u202eb {}","code":2}}"#, "x".repeat(1_000));
        let told = read(&body);
        assert!(told.text.starts_with("ab ") && told.text.len() <= 300);
    }
}
