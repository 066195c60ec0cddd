//! Every sentence a report says, in its languages. What entries say is never translated.

/// The language of a report's own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// As RFC 5646 has it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hans",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Words(pub Language);

macro_rules! labels {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        impl Words {
            $(
                pub const fn $name(self) -> &'static str {
                    self.pick($english, $chinese)
                }
            )*

            /// All of them, for whoever checks that the fonts hold them.
            #[cfg(test)]
            pub fn labels(self) -> Vec<&'static str> {
                vec![$(self.$name()),*]
            }
        }
    };
}

labels! {
    title: "Audit report", "审计报告";
    log: "Log", "日志";
    entries: "Entries", "条目";
    period: "Period", "时间范围";
    conditions: "Conditions", "筛选条件";
    no_conditions: "None: the whole log", "无：整个日志";
    times_utc: "All times are UTC.", "所有时间均为协调世界时（UTC）。";
    completeness: "What this report holds, and what it leaves out", "本报告的内容与未列入的内容";
    the_record: "This document is for reading. The record is the bundle of exact entries that \
        accompanies it; the last page says how to check it.",
        "本文件供阅读。真正的记录是随附的归档包，其中是原始条目；最后一页说明如何核验。";
    the_record_here: "This document is for reading. The record is the bundle named below.",
        "本文件供阅读。真正的记录是下文所列的归档包。";
    summary: "Summary", "概要";
    by_kind: "By kind of entry", "按条目类型";
    by_outcome: "By outcome", "按结果";
    by_person: "By person or token", "按人员或令牌";
    by_cluster: "By cluster", "按集群";
    others: "all others", "其余";
    none: "None.", "无。";
    no_outcome: "no outcome on record", "尚无结果";
    outcomes_note: "A change counts once, by the last that is on record of it.",
        "每项变更只计一次，以最后记录的结果为准。";
    persons_note: "Outcomes are written by the console and not counted here.",
        "结果条目由控制台写入，不在此计数。";
    changes: "Changes", "变更";
    no_changes: "No change of a cluster is among these entries.", "这些条目中没有集群变更。";
    entry: "Entry", "条目";
    change: "Change", "变更内容";
    before_after: "Before → after", "变更前 → 变更后";
    why: "Reason, ticket", "原因与工单";
    approvals: "Approvals", "批准";
    approvals_about: "What other people said to the changes above before they ran; the entry is their word's own.",
        "上述变更执行前其他人的批准；所列条目为其批准记录。";
    outcome: "Outcome", "结果";
    by: "by", "操作人";
    reason: "Reason", "原因";
    ticket: "Ticket", "工单";
    no_reason: "no reason given", "未填写原因";
    no_approvals: "none", "无";
    nothing_approved: "Approvals: none is on record for any change in this report.",
        "批准：本报告中的任何变更都没有批准记录。";
    same: "no difference in members, leader or tolerance", "成员、领导者与容错均无变化";
    unseen: "not seen both before and after", "变更前后未能都观察到";
    not_there: "not a member", "非成员";
    voters: "voters", "投票成员";
    leader: "leader", "领导者";
    tolerates: "may fail", "可容忍故障数";
    outside_one: "its entry does not meet the conditions and is not in the bundle",
        "该条目不符合筛选条件，不在归档包内";
    refusals: "Refusals", "拒绝";
    refusals_about: "What somebody asked for and was not given. Nothing was sent to a cluster.",
        "有人提出但未获准的请求。没有向集群发送任何内容。";
    no_refusals: "No refusal is among these entries.", "这些条目中没有拒绝。";
    sign_ins: "Failed sign-ins", "登录失败";
    no_sign_ins: "No failed sign-in is among these entries.", "这些条目中没有登录失败。";
    who: "Who", "人员";
    what: "What", "内容";
    from: "From", "来源";
    verification: "How to check this report", "如何核验本报告";
    tree_size: "Entries signed", "已签名条目数";
    root: "Root of the tree", "树根";
    signed_by: "Signed by", "签名密钥";
    public_keys: "Public keys", "公钥";
    checkpoint: "The checkpoint as it was signed", "签名时的检查点原文";
    bundle: "The bundle that accompanies this report", "随附的归档包";
    file: "File", "文件";
    bytes: "Bytes", "字节数";
    digest: "SHA-256", "SHA-256";
    commands: "Commands", "命令";
    commands_about: "keys.txt holds the log's public key, which you should have from elsewhere than \
        this document. Neither command needs a server or a network.",
        "keys.txt 中是该日志的公钥，应从本文件以外的途径取得。这些命令不需要服务器或网络。";
    digest_equals: "The digest that the first command prints is the one above. The last line of \
        the second begins with “proved”, and its exit status is 0.",
        "第一条命令输出的摘要应与上文一致。第二条命令输出的最后一行以“proved”开头，退出状态为 0。";
    again: "Whoever runs the console can make the bundle again, to the byte, for as long as the log \
        has the same keys:",
        "只要日志的密钥不变，控制台的管理者可以逐字节重新生成该归档包：";
    again_by_rest: "or by POST to /api/v1/audit/exports:", "或向 /api/v1/audit/exports 发送 POST 请求：";
    proves: "What that proves", "核验能证明什么";
    proves_whole: "That all entries up to the one named above are in the bundle: complete, in order and \
        unchanged, under a checkpoint that the key signed.",
        "上述条目之前（含）的所有条目都在归档包内：完整、有序、未经更改，并处于该密钥签名的检查点之下。";
    proves_part: "That the entries in the bundle are in the log, at their places and unchanged, under a \
        checkpoint that the key signed. That no other entry meets the conditions is proved by a \
        bundle of the whole log only.",
        "归档包内的条目都在日志中，位置正确、未经更改，并处于该密钥签名的检查点之下。至于没有其他条目符合条件，只有整个日志的归档包才能证明。";
    proves_not: "Whoever holds both the console's disk and its key could have written the log anew, or \
        cut off its end. Only a checkpoint that was kept elsewhere shows that: give it to the second \
        command by --checkpoint.",
        "同时掌握控制台磁盘与密钥的人可能重写日志或截去末尾。只有保存在别处的检查点才能揭示这一点：用 --checkpoint 把它交给第二条命令。";
    person: "person or token", "人员或令牌";
    cluster: "cluster", "集群";
    kinds: "kinds", "类型";
    change_id: "change", "变更";
}

impl Words {
    const fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self.0 {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }

    const fn english(self) -> bool {
        matches!(self.0, Language::English)
    }

    pub fn title_of(self, origin: &str) -> String {
        match self.english() {
            true => format!("Audit report of {origin}"),
            false => format!("审计报告：{origin}"),
        }
    }

    pub fn footer(self, origin: &str, size: u64) -> String {
        let size = number(size);
        match self.english() {
            true => format!("{origin}, up to entry {size}"),
            false => format!("{origin}，截至第 {size} 条"),
        }
    }

    pub fn page_of(self, page: usize, pages: usize) -> String {
        match self.english() {
            true => format!("Page {page} of {pages}"),
            false => format!("第 {page} 页，共 {pages} 页"),
        }
    }

    /// The sentence under the title.
    pub fn sentence(self, shown: u64, size: u64) -> String {
        let whole = shown == size;
        let (shown, size) = (number(shown), number(size));
        match (self.english(), whole) {
            (true, true) => {
                format!("All {size} entries of the log, from the first to entry {size}.")
            }
            (true, false) => {
                format!(
                    "{shown} of the first {size} entries of the log: those that meet the conditions."
                )
            }
            (false, true) => format!("日志的全部 {size} 条条目，从第 1 条到第 {size} 条。"),
            (false, false) => format!("日志前 {size} 条中符合条件的 {shown} 条。"),
        }
    }

    /// The same of a log whose first entries are gone.
    pub fn sentence_of_rest(self, first: u64, size: u64) -> String {
        let (first, size) = (number(first), number(size));
        match self.english() {
            true => format!("All entries that the log still has, from entry {first} to {size}."),
            false => format!("日志现存的全部条目，从第 {first} 条到第 {size} 条。"),
        }
    }

    pub fn entries_from_to(self, first: u64, last: u64) -> String {
        let (first, last) = (number(first), number(last));
        match self.english() {
            true => format!("first {first}, last {last}"),
            false => format!("首条 {first}，末条 {last}"),
        }
    }

    pub fn time_from_to(self, first: &str, last: &str) -> String {
        match self.english() {
            true => format!("{first} to {last}"),
            false => format!("{first} 至 {last}"),
        }
    }

    pub fn since_time(self, time: &str) -> String {
        match self.english() {
            true => format!("from {time} on"),
            false => format!("自 {time} 起"),
        }
    }

    pub fn before_time(self, time: &str) -> String {
        match self.english() {
            true => format!("before {time}"),
            false => format!("{time} 之前"),
        }
    }

    pub fn named(self, name: &str, value: &str) -> String {
        match self.english() {
            true => format!("{name}: {value}"),
            false => format!("{name}：{value}"),
        }
    }

    /// Of entries that the rules of retention took from the log's beginning.
    pub fn removed(self, upto: u64) -> String {
        let upto = number(upto);
        match self.english() {
            true => format!(
                "The log begins late: entries 1 to {upto} were removed by the rules of retention. \
                 Only their hashes are left, which prove the places of the others."
            ),
            false => format!(
                "日志开头已缩短：第 1 条到第 {upto} 条已按保留规则删除，仅保留其哈希值，用于证明其余条目的位置。"
            ),
        }
    }

    pub fn all_are_here(self, first: u64, size: u64) -> String {
        let (first, size) = (number(first), number(size));
        match self.english() {
            true => format!(
                "Every entry from {first} to {size} was looked at, in order and without a gap, and none was \
                 left out."
            ),
            false => {
                format!("第 {first} 条到第 {size} 条均已按顺序逐条查看，没有间断，也没有遗漏。")
            }
        }
    }

    pub fn left_out(self, first: u64, size: u64, left_out: u64) -> String {
        let (first, size, left_out) = (number(first), number(size), number(left_out));
        match self.english() {
            true => format!(
                "Every entry from {first} to {size} was looked at, in order and without a gap. {left_out} \
                 were left out because they do not meet the conditions."
            ),
            false => format!(
                "第 {first} 条到第 {size} 条均已按顺序逐条查看，没有间断。其中 {left_out} 条不符合条件，未列入。"
            ),
        }
    }

    /// Of a condition on the cluster.
    pub const fn without_cluster(self) -> &'static str {
        self.pick(
            "Entries that name no cluster, as sign-ins and the console's own, do not meet the \
             condition on the cluster.",
            "不涉及集群的条目（如登录和控制台自身的条目）不符合集群条件。",
        )
    }

    pub fn after_it(self, size: u64) -> String {
        let size = number(size);
        match self.english() {
            true => format!(
                "Whatever was written after entry {size} is not in this report: it ends at this \
                 checkpoint."
            ),
            false => format!("第 {size} 条之后写入的内容不在本报告内：报告截至本检查点。"),
        }
    }

    pub fn outside(self, count: u64) -> String {
        let count = number(count);
        match self.english() {
            true => format!(
                "Outcomes of these changes that do not meet the conditions themselves, because the \
                 console writes them or they came later: {count}. The table shows these outcomes beside their changes; the bundle \
                 does not hold them."
            ),
            false => format!(
                "这些变更有 {count} 条结果由控制台写入或发生较晚，自身不符合条件；表中随变更列出，归档包内不含。"
            ),
        }
    }

    /// Of what the tables do not list.
    pub fn counted_only(self, count: u64) -> String {
        let count = number(count);
        match self.english() {
            true => format!(
                "Counted in the summary and not listed one by one: {count}. These are successful \
                 sign-ins, accounts, keys, and the console's own entries; the bundle holds them."
            ),
            false => format!(
                "有 {count} 条条目（成功登录、账户、密钥、控制台自身）只在概要中计数，不逐条列出；归档包内全部包含。"
            ),
        }
    }

    pub fn capped(self, what: &str, shown: usize, all: u64) -> String {
        let (shown, all) = (grouped(&shown.to_string()), number(all));
        match self.english() {
            true => {
                format!("{what}: the table shows the first {shown} of {all}. The bundle holds all.")
            }
            false => format!("{what}：表中列出 {all} 项中的前 {shown} 项；归档包内全部包含。"),
        }
    }

    pub fn cut(self, count: u64) -> String {
        let count = number(count);
        match self.english() {
            true => format!(
                "Long texts that are cut in the tables and end in “…”: {count}. The bundle has them \
                 whole."
            ),
            false => format!("表中有 {count} 处长文本被截短，以“…”结尾；归档包内为全文。"),
        }
    }

    pub fn uncovered(self, count: u64) -> String {
        let count = number(count);
        match self.english() {
            true => format!(
                "Characters that this document's fonts do not hold are shown by their code points, as \
                 \\u{{1f600}}: {count} of them. The bundle has the exact text."
            ),
            false => format!(
                "有 {count} 个字符不在本文件的字体之内，以码位显示，如 \\u{{1f600}}；归档包内为原文。"
            ),
        }
    }

    /// An outcome whose change began before these entries.
    pub fn began_before(self, intent: u64) -> String {
        let intent = number(intent);
        match self.english() {
            true => format!("its intent is entry {intent}, which is not among these"),
            false => format!("其意图是第 {intent} 条，不在这些条目之内"),
        }
    }

    pub fn outcome_entry(self, seq: u64) -> String {
        let seq = number(seq);
        match self.english() {
            true => format!("entry {seq}"),
            false => format!("第 {seq} 条"),
        }
    }

    pub fn more_members(self, count: usize) -> String {
        match self.english() {
            true => format!("and {count} more members"),
            false => format!("另有 {count} 个成员"),
        }
    }

    pub fn entries_of(self, shown: u64, size: u64) -> String {
        let (shown, size) = (number(shown), number(size));
        match self.english() {
            true => format!("{shown} of {size}"),
            false => format!("{size} 条中的 {shown} 条"),
        }
    }

    /// The sentence beside the whole table of changes.
    pub fn changes_about(self, all: u64) -> String {
        let count = number(all);
        match (self.english(), all) {
            (true, 1) => "One change. What was seen when it was decided, and what was seen when it had ended.".to_owned(),
            (true, _) => format!(
                "{count} changes, oldest first. What was seen when each was decided, and what was seen \
                 when it had ended."
            ),
            (false, _) => format!("共 {count} 项变更，从旧到新。列出决定时与结束时所观察到的情况。"),
        }
    }
}

/// With a thin gap every three digits.
pub fn number(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
