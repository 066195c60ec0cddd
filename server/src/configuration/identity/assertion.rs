//! Mode `jwt-header`: whose signed assertion, for whom, and where its keys are.

use std::path::PathBuf;

use toml::Value;
use url::Url;

use super::{By, Reader};
use crate::identity::{Expected, Place, Preset, protected};

const LEEWAY_MS: u64 = 30_000;
const LEEWAY_MOST_MS: u64 = 120_000;

impl Reader<'_, '_> {
    pub(super) fn assertion(&mut self) -> Option<By> {
        let text = self.needed("preset", "the mode \"jwt-header\"")?;
        let Some(preset) = Preset::parse(text) else {
            let known: Vec<&str> = Preset::ALL.into_iter().map(Preset::as_str).collect();
            self.wrong("preset", &format!("expected one of {}", known.join(", ")));
            return None;
        };
        let facts = preset.facts();
        let header = match facts.header {
            Some(_) if self.section.text("header").is_some() => {
                self.wrong(
                    "header",
                    "is fixed by the preset; only \"generic\" takes it",
                );
                None
            }
            Some(header) => Some(header.to_owned()),
            None => {
                self.needed("header", "the preset \"generic\"");
                self.header("header")
            }
        };
        let issuer = match facts.issuer {
            Some(issuer) => Some(self.section.text("issuer").unwrap_or(issuer)),
            None => self.needed("issuer", "the mode \"jwt-header\""),
        };
        let audience = self.needed("audience", "the mode \"jwt-header\"");
        let signer = match preset {
            Preset::AwsAlb => self.needed("signer", "the preset \"aws-alb\""),
            _ => self.section.text("signer"),
        };
        if signer.is_some() && preset != Preset::AwsAlb {
            self.wrong("signer", "belongs to the preset \"aws-alb\"");
        }
        let leeway = self.leeway();
        let keys = self.keys(preset);
        Some(By::Assertion {
            expected: Expected {
                preset,
                header: header?,
                issuer: issuer?.to_owned(),
                audience: audience?.to_owned(),
                signer: signer.map(str::to_owned),
                groups_claim: self
                    .section
                    .text("groups_claim")
                    .unwrap_or(facts.groups_claim)
                    .to_owned(),
                leeway: leeway / 1_000,
            },
            keys: keys?,
        })
    }

    pub(super) fn leeway(&mut self) -> u64 {
        let given = self.section.0.and_then(|table| table.get("leeway_ms"));
        let given = given
            .and_then(Value::as_integer)
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or(LEEWAY_MS);
        if given > LEEWAY_MOST_MS {
            self.wrong(
                "leeway_ms",
                &format!("expected at most {LEEWAY_MOST_MS}; found {given}"),
            );
        }
        given
    }

    fn keys(&mut self, preset: Preset) -> Option<Place> {
        let file = self.section.text("jwks_file");
        let url = self.section.text("jwks_url");
        let url = match (file, url) {
            (Some(_), Some(_)) => {
                self.wrong("jwks_url", "give either jwks_url or jwks_file, not both");
                return None;
            }
            (Some(file), None) => return Some(Place::File(PathBuf::from(file))),
            (None, url) => url.or(preset.facts().jwks_url),
        };
        let Some(url) = url else {
            self.wrong(
                "jwks_url",
                "missing; the mode \"jwt-header\" needs jwks_url or jwks_file",
            );
            return None;
        };
        let Some(url) = Url::parse(url).ok().filter(protected) else {
            self.wrong(
                "jwks_url",
                "expected an https address (or http on this machine) without a password",
            );
            return None;
        };
        Some(match preset {
            Preset::AwsAlb => Place::UrlByKey(url),
            _ => Place::Url(url),
        })
    }
}
