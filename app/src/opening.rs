//! What a page opens with: rendered by the server, written once into the HTML, read back by the
//! browser before its first view, so that both build the same page.

use leptos::prelude::SharedValue;
use quorate_domain::{moment::Timestamp, problem::Problem};
use serde::{Deserialize, Serialize};

use crate::{live::PageState, reading, session::Session, theme::Theme};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    pub base: String,
    pub theme: Theme,
    pub session: Option<Session>,
    /// A sign-on proxy in front says who somebody is; nobody signs in here.
    #[serde(default)]
    pub proxied: bool,
    /// The OpenID provider at which people sign in, as they call it.
    #[serde(default)]
    pub sign_on: Option<String>,
    /// The console's clock when this was rendered.
    pub now: Timestamp,
    pub state: PageState,
    /// Why `state` is not what was asked for.
    pub problem: Option<Problem>,
}

impl Opening {
    /// The opening of this page, on either side.
    ///
    #[must_use]
    pub fn here() -> Self {
        let text = SharedValue::new_str(written).into_inner();
        reading::text(&text).unwrap_or_default()
    }
}

#[cfg(feature = "ssr")]
fn written() -> String {
    use leptos::prelude::use_context;

    let mut opening = use_context::<Opening>().unwrap_or_default();
    let assets = use_context::<crate::assets::Assets>().unwrap_or_default();
    opening.state.build = assets.build().to_owned();
    serde_json::to_string(&opening).unwrap_or_default()
}

#[cfg(not(feature = "ssr"))]
fn written() -> String {
    String::new()
}

#[cfg(feature = "ssr")]
mod render {
    use axum::http::{HeaderMap, header};
    use quorate_control::{Control, Operator};

    use super::{Opening, PageState, Problem, Session, Theme};
    use crate::{
        base::BasePath,
        live::{Topic, opening_state, page_state},
    };

    impl Opening {
        /// Gathers what the page at `path` shows to `who`. To be done before rendering begins: a
        /// rendering that waits may go on in another thread, where its signals are not found.
        pub async fn gather(
            control: &Control,
            who: Option<&Operator>,
            base: &BasePath,
            path: &str,
            headers: &HeaderMap,
        ) -> Self {
            let mut opening = Self {
                base: base.0.clone(),
                theme: theme(headers),
                now: control.now(),
                ..Self::default()
            };
            let Some(who) = who else { return opening };
            opening.session = Some(session(control, who));
            match load(control, who, &Topic::of_path(base.strip(path))).await {
                Ok(state) => opening.state = state,
                Err((state, problem)) => {
                    opening.state = state;
                    opening.problem = Some(problem);
                }
            }
            opening
        }
    }

    /// On a problem the rail is still told what it counts.
    async fn load(
        control: &Control,
        who: &Operator,
        topic: &Topic,
    ) -> Result<PageState, (PageState, Problem)> {
        match opening_state(control, who, topic).await {
            Ok(state) => Ok(state),
            Err(error) => {
                let rail = page_state(control, who, &Topic::Rail)
                    .await
                    .unwrap_or_default();
                Err((rail, error.problem()))
            }
        }
    }

    fn session(control: &Control, who: &Operator) -> Session {
        Session {
            subject: who.actor.subject.clone(),
            name: who.actor.name.clone(),
            means: who.actor.means,
            grants: who.grants.clone(),
            read_only: control.read_only(),
        }
    }

    fn theme(headers: &HeaderMap) -> Theme {
        let cookies = headers.get_all(header::COOKIE).iter();
        cookies
            .filter_map(|value| value.to_str().ok())
            .map(Theme::from_cookies)
            .find(|theme| *theme != Theme::System)
            .unwrap_or_default()
    }
}
