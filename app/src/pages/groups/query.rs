//! What the list of groups shows, as its URL says: `?class=no_leader&q=orders&after=41`.

use serde::{Deserialize, Serialize};

use crate::base::segment;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    pub cluster: String,
    pub class: Option<String>,
    pub q: Option<String>,
    pub after: Option<String>,
}

impl Query {
    /// The same list with other conditions; `base` is the console's path.
    #[must_use]
    pub fn link(&self, base: &str) -> String {
        let given = [
            ("class", &self.class),
            ("q", &self.q),
            ("after", &self.after),
        ];
        let pairs: Vec<String> = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .map(|(name, value)| format!("{name}={}", segment(value)))
            .collect();
        let path = format!("{base}/clusters/{}/groups", segment(&self.cluster));
        if pairs.is_empty() {
            path
        } else {
            format!("{path}?{}", pairs.join("&"))
        }
    }
}
