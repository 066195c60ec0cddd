//! Pages that stand still: forms and text by the server alone, outside the program that the browser
//! runs. Nothing of them is in what it downloads.

use leptos::prelude::*;

use crate::{
    assets::Assets,
    base::{BasePath, path},
    components::ring::mark,
    shell::escaped,
    theme::Theme,
    words as all,
};

/// What a still page is made with.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub base: BasePath,
    pub assets: Assets,
    pub theme: Theme,
    /// What the page's own script carries; the content policy names it.
    pub nonce: String,
}

/// The whole document. `body` finds the base path in its context; `script` is a module of this
/// program's own, never a text from outside.
#[must_use]
pub fn page(
    frame: &Frame,
    title: &str,
    script: Option<&'static str>,
    body: impl FnOnce() -> AnyView,
) -> String {
    let owner = Owner::new();
    owner.set();
    owner.with(|| {
        provide_context(frame.base.clone());
        let assets = &frame.assets;
        let theme = (frame.theme != Theme::System).then(|| frame.theme.as_str());
        let whole = format!("{title} · {}", all::PRODUCT);
        let script = script.map(|script| {
            view! { <script type="module" nonce=frame.nonce.clone() inner_html=script></script> }
        });
        let document = view! {
            <html lang="en" data-theme=theme>
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1"/>
                    <meta name="color-scheme" content="light dark"/>
                    <title inner_html=escaped(&whole)></title>
                    <link rel="stylesheet" href=path(&assets.style)/>
                    <link rel="icon" type="image/svg+xml" href=path(&assets.icon)/>
                </head>
                <body>
                    <main id="content" class="sign-in still">
                        <p class="sign-in-brand">{mark()} <span>{all::PRODUCT}</span></p>
                        <h1 class="head-title">{title.to_owned()}</h1>
                        {body()}
                    </main>
                    {script}
                </body>
            </html>
        };
        format!("<!DOCTYPE html>{}", document.into_any().to_html())
    })
}

/// Something that went wrong, or what is to be known.
#[must_use]
pub fn notice(title: &str, hint: &str) -> AnyView {
    view! {
        <div class="notice tone-warn" role="alert">
            <p class="notice-title"><strong>{title.to_owned()}</strong></p>
            <p>{hint.to_owned()}</p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_page_is_whole_escapes_what_it_is_told_and_loads_nothing_of_the_program() {
        let frame = Frame {
            base: BasePath("/q".to_owned()),
            nonce: "n-1".to_owned(),
            ..Frame::default()
        };
        let html = page(&frame, "<b>Title", Some("go()"), || {
            view! { <p>"<script>x</script>"</p> }.into_any()
        });
        assert!(
            html.starts_with("<!DOCTYPE html><html lang=\"en\""),
            "{html}"
        );
        assert!(
            html.contains("&lt;b>Title") && html.contains("&lt;b&gt;Title"),
            "{html}"
        );
        assert!(html.contains("&lt;script&gt;x"), "{html}");
        assert!(html.contains("href=\"/q/assets/quorate.css\""), "{html}");
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(html.contains("nonce=\"n-1\""), "{html}");
        assert!(!html.contains("wasm"), "{html}");
        let without = page(&frame, "T", None, || ().into_any());
        assert!(!without.contains("<script"), "{without}");
    }
}
