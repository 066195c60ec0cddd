//! Users of this machine, by name or number.

use std::path::Path;

const ACCOUNTS: &str = "/etc/passwd";

/// Their numbers. Names are looked up in the machine's own file, and nowhere on a network.
///
/// # Errors
/// In words, if one is not there.
pub fn numbers(names: &[String]) -> Result<Vec<u32>, String> {
    names
        .iter()
        .map(|name| match name.parse::<u32>() {
            Ok(number) => Ok(number),
            Err(_) => named(name, Path::new(ACCOUNTS)),
        })
        .collect()
}

/// Root, and whoever the console runs as.
#[must_use]
pub fn own() -> Vec<u32> {
    vec![0, rustix::process::geteuid().as_raw()]
}

fn named(name: &str, accounts: &Path) -> Result<u32, String> {
    let text = std::fs::read_to_string(accounts)
        .map_err(|error| format!("cannot read {}: {error}", accounts.display()))?;
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    found.ok_or_else(|| format!("there is no user {name} on this machine; give the number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_name_or_number() {
        let texts = ["root", "4242"].map(str::to_owned);
        assert_eq!(numbers(&texts), Ok(vec![0, 4242]));
        for none in ["", "no such user", "root:x", "-1"] {
            assert!(numbers(&[none.to_owned()]).is_err(), "{none}");
        }
    }
}
