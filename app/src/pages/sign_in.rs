//! The sign_in page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn SignInPage() -> impl IntoView {
    view! { <PageHead title=words::SIGN_IN/> }
}
