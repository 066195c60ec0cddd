//! Why a source does not tell where to begin, in words an operator can act on.

use hickory_resolver::{
    net::{DnsError, NetError},
    proto::op::ResponseCode,
};

use crate::http::Wire;

/// Names the cause; never holds a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    #[error("DNS does not know the name (NXDOMAIN)")]
    NoName,
    #[error("the name has no SRV record")]
    NoRecord,
    #[error("its SRV record says that the service is not offered there (target \".\")")]
    NotOffered,
    #[error("its SRV records lead out of the domain {0} only")]
    Outside(String),
    #[error("no DNS server answered in time")]
    DnsSilent,
    #[error("the DNS server refuses to answer")]
    DnsRefuses,
    #[error("the DNS server failed: {0}")]
    DnsFailed(String),
    #[error("this machine names no DNS server")]
    NoDns,
    #[error("Consul does not let us (403): {0}")]
    ConsulDenied(String),
    #[error("Consul hides all instances from this token")]
    ConsulHides,
    #[error("Consul knows no instance of that service")]
    NoInstance,
    #[error("no instance of that service has a port")]
    NoPort,
    #[error("what answers there is not Consul: {0}")]
    NotConsul(Wire),
    #[error("{0}")]
    Consul(Wire),
}

impl Cause {
    /// Stable, kebab-case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoName => "srv-name-unknown",
            Self::NoRecord => "srv-record-missing",
            Self::NotOffered => "srv-not-offered",
            Self::Outside(_) => "srv-outside-domain",
            Self::DnsSilent => "dns-silent",
            Self::DnsRefuses => "dns-refused",
            Self::DnsFailed(_) => "dns-failed",
            Self::NoDns => "dns-missing",
            Self::ConsulDenied(_) => "consul-denied",
            Self::ConsulHides => "consul-hides",
            Self::NoInstance => "consul-no-instance",
            Self::NoPort => "consul-no-port",
            Self::NotConsul(_) => "not-consul",
            Self::Consul(wire) => wire.code(),
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoName => {
                "Check the name in `seeds`; it is taken whole, without the machine's search domains."
            }
            Self::NoRecord => "Make an SRV record for exactly that name, a line for each member.",
            Self::NotOffered => "Give the name of a service that runs.",
            Self::Outside(_) => {
                "Members are looked for in the name's own domain; name another as `?targets=DOMAIN`."
            }
            Self::DnsSilent | Self::DnsRefuses | Self::DnsFailed(_) => {
                "Check that this machine's DNS, or the one in `server.resolver`, can be reached and knows the domain."
            }
            Self::NoDns => "Name a server in /etc/resolv.conf, or in `server.resolver`.",
            Self::ConsulDenied(_) => {
                "Check `consul_token_file`: the token may be mistyped, expired or deleted."
            }
            Self::ConsulHides => {
                "Give the token in `consul_token_file` service:read on that service and node:read."
            }
            Self::NoInstance => {
                "Check the service's name, `?tag=` and `?dc=`; without a token Consul may hide it: set `consul_token_file`."
            }
            Self::NoPort => "Register the service with the port of the members' API.",
            Self::NotConsul(_) => "Check host and port: Consul's API is usually at 8501 by TLS.",
            Self::Consul(wire) => wire.hint(),
        }
    }
}

impl From<NetError> for Cause {
    fn from(error: NetError) -> Self {
        if error.is_nx_domain() {
            return Self::NoName;
        }
        if error.is_no_records_found() {
            return Self::NoRecord;
        }
        match error {
            NetError::Timeout | NetError::NoConnections => Self::DnsSilent,
            NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Self::DnsRefuses,
            // What a closed port answers to a datagram.
            NetError::Io(_) => Self::DnsSilent,
            NetError::Dns(DnsError::ResponseCode(code)) => Self::DnsFailed(code.to_string()),
            other => Self::DnsFailed(other.to_string().chars().take(120).collect()),
        }
    }
}
