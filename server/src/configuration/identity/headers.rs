//! Mode `trusted-header`: which plain headers, from whom, and what else must hold.

use std::path::PathBuf;

use super::{By, Reader};
use crate::identity::{Names, Peers};

impl Reader<'_, '_> {
    pub(super) fn headers(&mut self) -> Option<By> {
        self.needed("user_header", "the mode \"trusted-header\"");
        let names = Names {
            user: self.header("user_header").unwrap_or_default(),
            name: self.header("name_header"),
            email: self.header("email_header"),
            groups: self.header("groups_header"),
            groups_separator: self
                .section
                .text("groups_separator")
                .unwrap_or(super::super::keys::GROUPS_SEPARATOR)
                .to_owned(),
        };
        if names.groups_separator.is_empty() {
            self.wrong("groups_separator", "is empty");
        }
        let secret_header = self.header("proxy_secret_header");
        self.no_name_twice(&names, secret_header.as_deref());
        let secret_file = self.section.text("proxy_secret_file").map(PathBuf::from);
        if secret_header.is_some() != secret_file.is_some() {
            self.wrong(
                "proxy_secret_header",
                "belongs together with proxy_secret_file",
            );
        }
        let certificate_names = self.certificate_names();
        let listed = self.texts("trusted_proxies");
        // The certificate says who it is: then any address will do.
        let peers = if listed.is_empty() && !certificate_names.is_empty() {
            None
        } else {
            let peers = Peers::parse(&listed);
            Some(
                peers
                    .map_err(|wrong| self.wrong("trusted_proxies", &wrong))
                    .ok()?,
            )
        };
        Some(By::Headers {
            names,
            peers,
            certificate_names,
            users: self.texts("proxy_users"),
            secret: secret_header.zip(secret_file),
        })
    }

    fn certificate_names(&mut self) -> Vec<String> {
        let names = self.texts("proxy_certificate_names");
        let whole = |name: &String| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'*')
        };
        if !names.iter().all(whole) {
            self.wrong(
                "proxy_certificate_names",
                "expected whole names like \"proxy.example\", without *",
            );
        }
        names
    }

    /// Two of our headers that a gateway could turn into one another.
    fn no_name_twice(&mut self, names: &Names, secret: Option<&str>) {
        let optional = [&names.name, &names.email, &names.groups];
        let mut folded: Vec<String> = optional
            .into_iter()
            .flatten()
            .map(String::as_str)
            .chain([names.user.as_str()])
            .chain(secret)
            .map(|name| name.replace('_', "-"))
            .collect();
        folded.sort();
        let count = folded.len();
        folded.dedup();
        if folded.len() != count {
            self.wrong("user_header", "two of the headers have the same name");
        }
        if folded
            .iter()
            .any(|name| name == "authorization" || name == "cookie")
        {
            self.wrong("user_header", "cannot be read from Authorization or Cookie");
        }
    }
}
