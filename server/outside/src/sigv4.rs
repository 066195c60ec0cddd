//! Signatures of object storage: AWS Signature Version 4 in headers, as every S3-compatible store
//! takes it. Pure: the time is a parameter.

use quorate_audit::manifest::hex;
use quorate_drivers::Secret;
use ring::hmac;
use sha2::{Digest as _, Sha256};

/// Who signs, and for where.
pub struct Signer<'a> {
    pub key_id: &'a str,
    pub secret: &'a Secret,
    pub region: &'a str,
}

/// One call, before it is signed. Path and query are encoded already, the query sorted by name.
pub struct Call<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    /// Further headers that are signed, in lower case; `host`, the time and the digest are added.
    pub headers: &'a [(&'static str, String)],
    pub sha256: [u8; 32],
    /// As `20261121T140000Z`.
    pub time: &'a str,
}

impl Signer<'_> {
    /// The headers to be sent: those given, the time, the digest, and the authorization.
    pub fn headers(&self, call: &Call<'_>) -> Vec<(&'static str, String)> {
        let digest = hex(&call.sha256);
        let mut headers = call.headers.to_vec();
        headers.push(("x-amz-content-sha256", digest.clone()));
        headers.push(("x-amz-date", call.time.to_owned()));
        let mut signed = headers.clone();
        signed.push(("host", call.host.to_owned()));
        signed.sort();
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = signed
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{lines}\n{names}\n{digest}",
            call.method, call.path, call.query
        );
        let day = call.time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let canonical: [u8; 32] = Sha256::digest(canonical.as_bytes()).into();
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            call.time,
            hex(&canonical)
        );
        let signature = self.sign(day, &to_sign);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            self.key_id
        );
        headers.push(("authorization", authorization));
        headers
    }

    fn sign(&self, day: &str, text: &str) -> String {
        let mut key = format!("AWS4{}", self.secret.reveal()).into_bytes();
        for part in [day, self.region, "s3", "aws4_request", text] {
            let step = hmac::Key::new(hmac::HMAC_SHA256, &key);
            key = hmac::sign(&step, part.as_bytes()).as_ref().to_vec();
        }
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Everything but letters, digits and `-._~` by its bytes, and `/` only where it is a separator.
pub fn encoded(text: &str, keep_slash: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (keep_slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The example "GET Object" that the vendor publishes with its description of signatures.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let signer = Signer {
            key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: &secret,
            region: "us-east-1",
        };
        let headers = signer.headers(&Call {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            headers: &[("range", "bytes=0-9".to_owned())],
            sha256: Sha256::digest(b"").into(),
            time: "20130524T000000Z",
        });
        let (_, authorization) = headers.last().unwrap();
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn names_are_encoded_by_their_bytes() {
        assert_eq!(encoded("a b/ü~+", true), "a%20b/%C3%BC~%2B");
        assert_eq!(encoded("a/b", false), "a%2Fb");
    }
}
