//! The form part that says which roles, on which clusters.

use leptos::prelude::*;
use quorate_domain::permission::{Duty, Grant};

use super::DUTIES;
use crate::words::{access as words, duty as name_of};

/// What is chosen: roles, and where they hold.
#[derive(Clone, Copy)]
pub struct Choice {
    pub roles: RwSignal<Vec<Duty>>,
    pub clusters: RwSignal<String>,
    pub tags: RwSignal<String>,
}

impl Choice {
    /// Nothing chosen yet, on all clusters.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(&[])
    }

    /// As these grants have it; where they differ in place, as the first has it.
    #[must_use]
    pub fn of(grants: &[Grant]) -> Self {
        let first = grants.first();
        let clusters = first.map_or_else(|| "*".to_owned(), |grant| grant.clusters.join(", "));
        let tags = first.map(|grant| grant.tags.join(", ")).unwrap_or_default();
        Self {
            roles: RwSignal::new(grants.iter().map(|grant| grant.role).collect()),
            clusters: RwSignal::new(clusters),
            tags: RwSignal::new(tags),
        }
    }

    /// The grants chosen.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn grants(self) -> Result<Vec<Grant>, &'static str> {
        let roles = self.roles.get_untracked();
        grants(
            &roles,
            &self.clusters.get_untracked(),
            &self.tags.get_untracked(),
        )
    }
}

/// One grant a role.
fn grants(roles: &[Duty], clusters: &str, tags: &str) -> Result<Vec<Grant>, &'static str> {
    let (clusters, tags) = (names(clusters), names(tags));
    if roles.is_empty() {
        return Err(words::ROLE_FIRST);
    }
    if clusters.is_empty() {
        return Err(words::CLUSTERS_FIRST);
    }
    let grant = |role: &Duty| Grant {
        role: *role,
        clusters: clusters.clone(),
        tags: tags.clone(),
    };
    Ok(roles.iter().map(grant).collect())
}

fn names(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Check boxes for the roles, and where they hold. `id` keeps labels apart.
#[must_use]
pub fn fields(id: &str, choice: Choice) -> AnyView {
    let boxes: Vec<_> = DUTIES
        .into_iter()
        .map(|duty| role(id, choice, duty))
        .collect();
    let (clusters, tags) = (format!("{id}-clusters"), format!("{id}-tags"));
    let (clusters_hint, tags_hint) = (format!("{clusters}-hint"), format!("{tags}-hint"));
    view! {
        <fieldset class="roles">
            <legend class="field-label">{words::ROLES}</legend>
            {boxes}
        </fieldset>
        <div class="field">
            <label class="field-label" for=clusters.clone()>{words::ON_CLUSTERS}</label>
            <input
                class="input"
                id=clusters
                type="text"
                autocomplete="off"
                aria-describedby=clusters_hint.clone()
                prop:value=choice.clusters
                value=choice.clusters.get_untracked()
                on:input=move |event| choice.clusters.set(event_target_value(&event))
            />
            <p class="field-hint" id=clusters_hint>{words::ON_CLUSTERS_HINT}</p>
        </div>
        <div class="field">
            <label class="field-label" for=tags.clone()>{words::WITH_TAGS}</label>
            <input
                class="input"
                id=tags
                type="text"
                autocomplete="off"
                aria-describedby=tags_hint.clone()
                prop:value=choice.tags
                value=choice.tags.get_untracked()
                on:input=move |event| choice.tags.set(event_target_value(&event))
            />
            <p class="field-hint" id=tags_hint>{words::WITH_TAGS_HINT}</p>
        </div>
    }
    .into_any()
}

fn role(id: &str, choice: Choice, duty: Duty) -> AnyView {
    let field = format!("{id}-{}", duty.as_str());
    let hint = format!("{field}-hint");
    let toggle = move |event| {
        let wanted = event_target_checked(&event);
        choice.roles.update(|roles| {
            roles.retain(|role| *role != duty);
            if wanted {
                roles.push(duty);
            }
        });
    };
    view! {
        <div class="role-choice">
            <input
                id=field.clone()
                type="checkbox"
                aria-describedby=hint.clone()
                prop:checked=move || choice.roles.with(|roles| roles.contains(&duty))
                checked=choice.roles.with_untracked(|roles| roles.contains(&duty))
                on:change=toggle
            />
            <label for=field>{name_of(duty)}</label>
            <span class="field-hint" id=hint>{words::duty(duty)}</span>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_becomes_a_grant_on_the_clusters_named() {
        let made = grants(&[Duty::Operator, Duty::Auditor], " a, b ,", "eu").unwrap_or_default();
        assert_eq!(
            words::grants(&made),
            "operator on a, b tagged eu; auditor on a, b tagged eu"
        );
    }

    #[test]
    fn no_role_and_no_cluster_are_asked_for() {
        assert_eq!(grants(&[], "*", ""), Err(words::ROLE_FIRST));
        assert_eq!(
            grants(&[Duty::Viewer], " , ", ""),
            Err(words::CLUSTERS_FIRST)
        );
    }
}
