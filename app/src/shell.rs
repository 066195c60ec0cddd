//! The document around the app: head, theme, and the tags that start the browser's side.
//!
//! The stock hydration tags repeat the nonce in a `crossorigin` attribute, where any script on
//! the page can read it; here it stands in `nonce` attributes alone.

use axum::http::request::Parts;
use leptos::{nonce::use_nonce, prelude::*};
use leptos_router::location::RequestUrl;

use crate::{
    app::App, assets::Assets, base::BasePath, opening::Opening, theme::Theme, title, words,
};

/// The whole document. The page's data, an [`Opening`], must be in context already, so the HTML is
/// complete for reading with scripts off; routes must be rendered with `SsrMode::Async`.
#[must_use]
pub fn shell() -> impl IntoView {
    let opening = use_context::<Opening>().unwrap_or_default();
    let base = BasePath(opening.base);
    let path = requested_path(&base);
    document(&base, &path, opening.theme)
}

/// The router matches below the base path; a proxy may have taken the base off already.
fn requested_path(base: &BasePath) -> String {
    let Some(parts) = use_context::<Parts>() else {
        return "/".to_owned();
    };
    let inside = base.strip(parts.uri.path()).to_owned();
    let query = parts
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    provide_context(RequestUrl::new(&base.path(&format!("{inside}{query}"))));
    inside
}

fn document(base: &BasePath, path: &str, theme: Theme) -> AnyView {
    let assets = use_context::<Assets>().unwrap_or_default();
    let theme = (theme != Theme::System).then_some(theme.as_str());
    let script = base.path(&assets.script);
    let wasm = base.path(&assets.wasm);
    let start = format!(
        "import init,{{hydrate}} from {};init({{module_or_path:{}}}).then(()=>hydrate({}))",
        quoted(&script),
        quoted(&wasm),
        quoted(&base.0),
    );
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="description" content=words::DESCRIPTION/>
                <title inner_html=escaped(&title::of_path(path))></title>
                <link rel="stylesheet" href=base.path(&assets.style)/>
                <link rel="icon" type="image/svg+xml" href=base.path(&assets.icon)/>
                <link rel="manifest" href=base.path(&assets.manifest) crossorigin="use-credentials"/>
                <link rel="modulepreload" href=script crossorigin="anonymous"/>
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
                <script type="module" nonce=use_nonce()>{start}</script>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
    .into_any()
}

/// Text for an element that knows no comments: a marker of the renderer's would be shown in it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A string literal of JavaScript that cannot close its script element.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
}
