//! Why an event stream was refused: signed out, gone, or no console there at all.

use leptos::prelude::window;
use quorate_domain::problem::Problem;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, RequestInit, RequestRedirect, Response};

pub enum Why {
    SignedOut,
    /// The console refuses, and says why.
    Refused(Box<Problem>),
    Unreachable,
    /// It answers again.
    Answered,
}

/// Asks for the stream once more as an ordinary request and lets go after the first byte.
pub async fn why(address: &str) -> Why {
    match ask(address).await {
        Ok(why) => why,
        Err(_) => Why::Unreachable,
    }
}

async fn ask(address: &str) -> Result<Why, JsValue> {
    let abort = AbortController::new()?;
    let options = RequestInit::new();
    options.set_signal(Some(&abort.signal()));
    options.set_redirect(RequestRedirect::Manual);
    let answer = JsFuture::from(window().fetch_with_str_and_init(address, &options)).await?;
    let answer: Response = answer.dyn_into()?;
    let why = match answer.status() {
        // The console neither leads elsewhere (0: where to is not told) nor answers with a page: a
        // sign-on proxy does, once its session has ended.
        0 | 401 | 403 => Why::SignedOut,
        200..300 if !is_stream(&answer) => Why::SignedOut,
        200..300 => Why::Answered,
        400..500 => refused(&answer).await?,
        _ => Why::Unreachable,
    };
    abort.abort();
    Ok(why)
}

fn is_stream(answer: &Response) -> bool {
    let kind = answer.headers().get("content-type").ok().flatten();
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

async fn refused(answer: &Response) -> Result<Why, JsValue> {
    let text = JsFuture::from(answer.text()?)
        .await?
        .as_string()
        .unwrap_or_default();
    let problem = crate::reading::text(&text).unwrap_or_else(|_| {
        let words = crate::words::gone(answer.status());
        Problem::new(answer.status(), "refused", words.0, words.1)
    });
    Ok(Why::Refused(Box::new(problem)))
}
