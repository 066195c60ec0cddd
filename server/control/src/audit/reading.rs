//! Who may read the log, and what they are given; refusals on record.

use quorate_domain::{
    audit::{Entry, EntryKind, Filter, Means, Outcome, Row, Source},
    cluster::ClusterName,
    permission::{Permission, allows},
};

use sqlx::SqlitePool;

use super::{Draft, PAGE_MOST, export, nobody, reading, sealing};
use crate::{Control, ControlError, Operator, Page, store::entries};

/// Who goes on reading is put on record again after this long.
const READ_AGAIN_MS: u64 = 15 * 60 * 1_000;

impl Control {
    /// Oldest first, entries with `seq > after`.
    ///
    /// # Errors
    /// `NotAllowed` without the right to read the log (as a whole, or of the filter's cluster).
    pub async fn audit(
        &self,
        who: &Operator,
        filter: &Filter,
        after: u64,
        limit: u32,
    ) -> Result<Page<Entry>, ControlError> {
        self.may_read_audit(who, filter.cluster.as_deref()).await?;
        self.read_by(who, filter).await;
        let limit = limit.clamp(1, PAGE_MOST);
        let read = async {
            let rows = entries::list(&self.inner.audit.read, filter, after, limit + 1).await?;
            sealing::opened(&self.inner.audit.read, &rows).await
        };
        let items: Vec<Entry> = read.await.map_err(reading)?;
        Ok(page(items, limit, |entry| entry.seq))
    }

    /// Newest first, one row an intent with its outcome, rows with `seq < before`.
    ///
    /// # Errors
    /// As [`Control::audit`].
    pub async fn audit_rows(
        &self,
        who: &Operator,
        filter: &Filter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page<Row>, ControlError> {
        self.may_read_audit(who, filter.cluster.as_deref()).await?;
        self.read_by(who, filter).await;
        let limit = limit.clamp(1, PAGE_MOST);
        let read = async {
            let rows = entries::rows(&self.inner.audit.read, filter, before, limit + 1).await?;
            paired(&self.inner.audit.read, rows).await
        };
        let items: Vec<Row> = read.await.map_err(reading)?;
        Ok(page(items, limit, |row| row.entry.seq))
    }

    /// One entry, its row partner, and the exact stored bytes as text. An outcome's partner is
    /// its intent, in the place of the row's entry.
    ///
    /// # Errors
    /// `NotFound`, or as [`Control::audit`].
    pub async fn audit_entry(
        &self,
        who: &Operator,
        seq: u64,
    ) -> Result<(Row, String), ControlError> {
        let read = &self.inner.audit.read;
        let found = entries::one(read, seq).await.map_err(reading)?;
        let entry = found.as_deref().map(entries::read_back).transpose();
        let entry = entry.map_err(reading)?;
        let cluster = entry.as_ref().and_then(|entry| entry.cluster.clone());
        let name = cluster.as_ref().map(ClusterName::as_str);
        self.may_read_audit(who, name).await?;
        let conditions = Filter {
            cluster: name.map(str::to_owned),
            ..Filter::default()
        };
        self.read_by(who, &conditions).await;
        let (Some(bytes), Some(entry)) = (found, entry) else {
            return Err(ControlError::not_found("audit entry", &seq.to_string()));
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let intent = match entry.intent_seq {
            Some(intent) => entries::one(read, intent).await.map_err(reading)?,
            None => None,
        };
        let pair = match intent {
            Some(intent) => (intent, Some(bytes)),
            None => {
                let answer = entries::answer(read, seq).await.map_err(reading)?;
                (bytes, answer)
            }
        };
        let mut found = paired(read, vec![pair]).await.map_err(reading)?;
        let row = found.pop();
        let row = row.ok_or_else(|| ControlError::not_found("audit entry", &seq.to_string()))?;
        Ok((row, text))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// `NotAllowed` without the right to read the log on any cluster.
    pub async fn audit_size(&self, who: &Operator) -> Result<u64, ControlError> {
        self.may_read_audit_somewhere(who).await?;
        entries::size(&self.inner.audit.read).await.map_err(reading)
    }

    /// Records a refused request that never reached a use case (forged origin, no sign-in…).
    /// Floods are cut: what strangers send must not fill the disk.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub async fn record_refusal(
        &self,
        action: &str,
        text: &str,
        source: &Source,
    ) -> Result<(), ControlError> {
        if !self.inner.flood.admits(action, source.address()) {
            metrics::counter!("quorate_audit_suppressed_total").increment(1);
            return Ok(());
        }
        let mut draft = Draft::new(
            EntryKind::Refusal,
            action,
            nobody("nobody signed in"),
            source.clone(),
            text,
        );
        draft.outcome = Some(Outcome::Refused);
        self.inner.audit.append(draft).await.map(|_| ())
    }

    /// Writes one entry as a use case would, for measurements.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    #[doc(hidden)]
    pub async fn rehearse_entry(&self, text: &str, source: Source) -> Result<u64, ControlError> {
        let mut actor = super::console();
        // As of people, who are sealed.
        actor.means = Means::Token;
        let draft = Draft::new(EntryKind::Console, "rehearsed", actor, source, text);
        Ok(self.inner.audit.append(draft).await?.seq)
    }

    /// Limits the log's file to `pages` pages of 4 KiB, so that a full disk can be rehearsed.
    /// Holds until the console ends.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    #[doc(hidden)]
    pub async fn rehearse_full_audit(&self, pages: u32) -> Result<(), ControlError> {
        self.inner.audit.limit_pages(pages).await
    }

    /// Records a refusal as far as it can be; the caller is refused either way.
    pub(crate) async fn refused(&self, draft: Draft) {
        if let Err(error) = self.inner.audit.append(draft).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// `NotAllowed`, recorded: `who` wanted `permission` (called `action` in the log).
    pub(crate) async fn not_allowed(
        &self,
        who: &Operator,
        permission: Permission,
        action: &str,
        cluster: Option<&ClusterName>,
    ) -> ControlError {
        let needs = crate::wording::roles(permission);
        let mut draft = Draft::refusal(
            who,
            action,
            crate::wording::not_allowed(action, cluster, &needs),
        );
        draft.cluster = cluster.cloned();
        self.refused(draft).await;
        ControlError::NotAllowed { needs }
    }

    /// That somebody reads the log is on record, at most four times an hour for each session or
    /// token and part of the log. Commands on the console's own machine are left out: who runs
    /// them can read the file itself. Reading goes on where this cannot be written.
    async fn read_by(&self, who: &Operator, filter: &Filter) {
        if matches!(who.actor.means, Means::CommandLine | Means::Console) {
            return;
        }
        let audit = &self.inner.audit;
        let session = who.session.as_deref().unwrap_or_default();
        let cluster = filter.cluster.as_deref().unwrap_or("*");
        let reader = format!(
            "{} {} {session} {cluster}",
            who.actor.issuer, who.actor.subject
        );
        if !audit.shared.reads_anew(reader, self.now(), READ_AGAIN_MS) {
            return;
        }
        let text = match &filter.cluster {
            Some(cluster) => format!("Read the audit log of {cluster}."),
            None => "Read the audit log.".to_owned(),
        };
        let mut draft = Draft::access(who, "audit_read", text).of_filter(filter);
        draft.sent = export::filter_value(filter);
        if let Err(error) = audit.append(draft).await {
            tracing::error!(%error, "that the audit log was read could not be recorded");
        }
    }

    /// With the right to read the log of at least one cluster.
    pub(super) async fn may_read_audit_somewhere(
        &self,
        who: &Operator,
    ) -> Result<(), ControlError> {
        let somewhere = self
            .inner
            .clusters
            .values()
            .any(|watched| allows(&who.grants, Permission::ReadAudit, Some(watched.place())));
        match somewhere {
            true => Ok(()),
            false => self.may_read_audit(who, None).await,
        }
    }

    pub(super) async fn may_read_audit(
        &self,
        who: &Operator,
        cluster: Option<&str>,
    ) -> Result<(), ControlError> {
        let name = cluster.map(ClusterName::from);
        let of_cluster = name.as_ref().is_some_and(|name| {
            let tags = self
                .inner
                .clusters
                .get(name)
                .map(|watched| watched.place().1);
            allows(
                &who.grants,
                Permission::ReadAudit,
                Some((name, tags.unwrap_or_default())),
            )
        });
        if of_cluster || allows(&who.grants, Permission::ReadAudit, None) {
            return Ok(());
        }
        Err(self
            .not_allowed(who, Permission::ReadAudit, "read_audit", name.as_ref())
            .await)
    }
}

/// Rows of their bytes, opened.
async fn paired(
    read: &SqlitePool,
    pairs: Vec<(Vec<u8>, Option<Vec<u8>>)>,
) -> sqlx::Result<Vec<Row>> {
    let (firsts, answers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let answered: Vec<bool> = answers.iter().map(Option::is_some).collect();
    let answers: Vec<Vec<u8>> = answers.into_iter().flatten().collect();
    let firsts = sealing::opened(read, &firsts).await?;
    let mut answers = sealing::opened(read, &answers).await?.into_iter();
    let row = |(entry, answered): (Entry, bool)| Row {
        entry,
        outcome: answered.then(|| answers.next()).flatten(),
    };
    Ok(firsts.into_iter().zip(answered).map(row).collect())
}

/// A page of at most `limit` of `items`, with the last one's number as the cursor.
fn page<T>(mut items: Vec<T>, limit: u32, number: impl Fn(&T) -> u64) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|item| number(item).to_string());
    Page { items, next }
}
