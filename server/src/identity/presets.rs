//! What each proxy's signed assertion looks like: its header, its methods, its claim of groups.

use super::jwks::Algorithm::{self, Ed25519, Es256, Es384, Ps256, Rs256, Rs384, Rs512};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    Pomerium,
    CloudflareAccess,
    GoogleIap,
    AwsAlb,
    Authentik,
    Teleport,
    Generic,
}

/// The facts of one preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresetFacts {
    /// `None`: the configuration says.
    pub header: Option<&'static str>,
    pub algorithms: &'static [Algorithm],
    pub issuer: Option<&'static str>,
    pub jwks_url: Option<&'static str>,
    pub groups_claim: &'static str,
}

impl Preset {
    pub const ALL: [Self; 7] = [
        Self::Pomerium,
        Self::CloudflareAccess,
        Self::GoogleIap,
        Self::AwsAlb,
        Self::Authentik,
        Self::Teleport,
        Self::Generic,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pomerium => "pomerium",
            Self::CloudflareAccess => "cloudflare-access",
            Self::GoogleIap => "google-iap",
            Self::AwsAlb => "aws-alb",
            Self::Authentik => "authentik",
            Self::Teleport => "teleport",
            Self::Generic => "generic",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == text)
    }

    #[must_use]
    pub const fn facts(self) -> PresetFacts {
        match self {
            Self::Pomerium => facts("x-pomerium-jwt-assertion", &[Es256]),
            Self::CloudflareAccess => facts("cf-access-jwt-assertion", &[Rs256]),
            Self::GoogleIap => PresetFacts {
                issuer: Some("https://cloud.google.com/iap"),
                jwks_url: Some("https://www.gstatic.com/iap/verify/public_key-jwk"),
                ..facts("x-goog-iap-jwt-assertion", &[Es256])
            },
            Self::AwsAlb => facts("x-amzn-oidc-data", &[Es256]),
            Self::Authentik => facts("x-authentik-jwt", &[Rs256, Es256]),
            Self::Teleport => PresetFacts {
                groups_claim: "roles",
                ..facts("teleport-jwt-assertion", &[Rs256, Es256])
            },
            Self::Generic => PresetFacts {
                header: None,
                ..facts("", &[Rs256, Rs384, Rs512, Ps256, Es256, Es384, Ed25519])
            },
        }
    }
}

const fn facts(header: &'static str, algorithms: &'static [Algorithm]) -> PresetFacts {
    PresetFacts {
        header: Some(header),
        algorithms,
        issuer: None,
        jwks_url: None,
        groups_claim: "groups",
    }
}
