//! The app: what every page stands in, and which page a path shows.

use leptos::prelude::*;
use leptos_router::{
    ParamSegment, SsrMode, StaticSegment,
    components::{FlatRoutes, Route, Router},
};

use crate::{
    base::BasePath,
    components::{DialogTarget, layout::Layout},
    live::Live,
    opening::Opening,
    pages::{
        cluster::ClusterPage,
        later::{Access, Overview, Record},
        not_found::NotFoundPage,
        sign_in::SignInPage,
    },
    theme::Theme,
};

#[component]
pub fn App() -> impl IntoView {
    let opening = Opening::here();
    let base = opening.base.clone();
    provide_context(BasePath(opening.base));
    provide_context(opening.session);
    provide_context(RwSignal::<Theme>::new(opening.theme));
    provide_context(Live::new(opening.state, opening.problem, opening.now));
    provide_context(DialogTarget::new(None));

    view! {
        <Router base=base>
            <Layout>
                <FlatRoutes fallback=|| view! { <NotFoundPage/> }>
                    <Route path=StaticSegment("") view=Overview::Fleet ssr=SsrMode::Async/>
                    <Route path=(StaticSegment("clusters"), ParamSegment("name")) view=ClusterPage ssr=SsrMode::Async/>
                    <Route path=StaticSegment("problems") view=Overview::Problems ssr=SsrMode::Async/>
                    <Route path=StaticSegment("changes") view=Record::Changes ssr=SsrMode::Async/>
                    <Route path=(StaticSegment("changes"), ParamSegment("id")) view=Record::Change ssr=SsrMode::Async/>
                    <Route path=StaticSegment("audit") view=Record::Audit ssr=SsrMode::Async/>
                    <Route path=(StaticSegment("audit"), ParamSegment("seq")) view=Record::AuditEntry ssr=SsrMode::Async/>
                    <Route path=StaticSegment("access") view=Access ssr=SsrMode::Async/>
                    <Route path=StaticSegment("sign-in") view=SignInPage ssr=SsrMode::Async/>
                </FlatRoutes>
            </Layout>
        </Router>
    }
}
