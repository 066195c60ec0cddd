//! The app: what every page stands in, and which page a path shows.

use leptos::{prelude::*, stock, tachys::view::iterators::StaticVec};
use leptos_router::{
    ParamSegment, PossibleRouteMatch, SsrMode, StaticSegment,
    any_nested_route::AnyNestedRoute,
    components::{FlatRoutes, FlatRoutesProps, Route, RouteProps, Router},
};

use crate::{
    base::BasePath,
    components::{DialogTarget, layout::Layout},
    live::Live,
    opening::Opening,
    pages::{Page, not_found::NotFoundPage},
    session::{Proxied, SignOn},
    theme::Theme,
};

#[component]
pub fn App() -> impl IntoView {
    let opening = Opening::here();
    let base = opening.base.clone();
    provide_context(BasePath(opening.base));
    provide_context(opening.session);
    provide_context(Proxied(opening.proxied));
    provide_context(SignOn(opening.sign_on));
    provide_context(RwSignal::<Theme>::new(opening.theme));
    provide_context(Live::new(opening.state, opening.problem, opening.now));
    provide_context(DialogTarget::new(None));

    view! {
        <Router base=base>
            <Layout>{pages()}</Layout>
        </Router>
    }
}

/// Written without the macro, which would put routes into the boxes that are meant for views.
fn pages() -> impl IntoView {
    FlatRoutes(
        FlatRoutesProps::builder()
            .fallback(|| view! { <NotFoundPage/> })
            .children(stock::ToChildren::to_children(|| {
                StaticVec::from(vec![
                    route(StaticSegment(""), Page::Fleet),
                    route(one_of("clusters", "name"), Page::Cluster),
                    route(of_cluster(), Page::Groups),
                    route((of_cluster(), ParamSegment("group")), Page::Cluster),
                    route(StaticSegment("problems"), Page::Problems),
                    route(StaticSegment("changes"), Page::Changes),
                    route(one_of("changes", "id"), Page::Change),
                    route(StaticSegment("audit"), Page::Audit),
                    route(one_of("audit", "seq"), Page::AuditEntry),
                    route(StaticSegment("access"), Page::Access),
                    route(StaticSegment("sign-in"), Page::SignIn),
                ])
            }))
            .build(),
    )
}

fn one_of(
    all: &'static str,
    parameter: &'static str,
) -> (StaticSegment<&'static str>, ParamSegment) {
    (StaticSegment(all), ParamSegment(parameter))
}

fn of_cluster() -> (
    StaticSegment<&'static str>,
    ParamSegment,
    StaticSegment<&'static str>,
) {
    let (all, parameter) = one_of("clusters", "name");
    (all, parameter, StaticSegment("groups"))
}

fn route<Path>(path: Path, page: Page) -> AnyNestedRoute
where
    Path: PossibleRouteMatch + std::fmt::Debug + Clone + Send + 'static,
{
    Route(
        RouteProps::builder()
            .path(path)
            .view(page)
            .ssr(SsrMode::Async)
            .build(),
    )
}
