//! The page's form for a member's state set by hand. It works with scripts off, and what went
//! wrong stands in the redirect as a code, never as a text.

use std::time::Duration;

use axum::{
    Form,
    extract::{Extension, Path, State, rejection::FormRejection},
    response::Response,
};
use quorate_app::{base::segment, session::Visitor};
use quorate_control::{Control, ControlError, Operator};
use serde::Deserialize;

use crate::{guards::problems::Fault, sign_in::see_other, state::Console};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    member: String,
    /// Of a program of many: whose member it is.
    group: Option<String>,
    /// For how many hours; 0 takes it back.
    hours: u64,
    #[serde(default)]
    reason: String,
}

pub async fn by_form(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    Path(cluster): Path<String>,
    form: Result<Form<Wish>, FormRejection>,
) -> Result<Response, Fault> {
    let who = visitor.ok_or_else(Fault::not_signed_in)?;
    let mut page = format!("/clusters/{}", segment(&cluster));
    let Ok(Form(wish)) = form else {
        return Ok(see_other(&console, &format!("{page}?problem=malformed")));
    };
    let mut of = cluster;
    if let Some(group) = &wish.group {
        page.push_str(&format!("/groups/{}", segment(group)));
        of.push_str(&format!("/{group}"));
    }
    let member = segment(&wish.member);
    let place = match carry_out(&console.control, &who, &of, &wish).await {
        Ok(()) => format!("{page}?member={member}"),
        Err(error) => {
            let code = error.problem().code;
            format!("{page}?member={member}&problem={code}")
        }
    };
    Ok(see_other(&console, &place))
}

async fn carry_out(
    control: &Control,
    who: &Operator,
    cluster: &str,
    wish: &Wish,
) -> Result<(), ControlError> {
    if wish.hours == 0 {
        return control.override_lift(who, cluster, &wish.member).await;
    }
    let life = Duration::from_secs(wish.hours.saturating_mul(3_600));
    let set = control.override_set(who, cluster, &wish.member, &wish.reason, life);
    set.await.map(|_| ())
}
