//! What the closed lists of an entry are called. In English the words are those of the record.

use quorate_domain::audit::{EntryKind, Means, Outcome};

use crate::words::{Language, Words};

impl Words {
    const fn chinese(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self.0 {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }

    pub const fn kind(self, kind: EntryKind) -> &'static str {
        match kind {
            EntryKind::Intent => self.chinese("intents", "意图"),
            EntryKind::Outcome => self.chinese("outcomes", "结果"),
            EntryKind::Refusal => self.chinese("refusals", "拒绝"),
            EntryKind::Access => self.chinese("access", "访问"),
            EntryKind::Console => self.chinese("console", "控制台"),
        }
    }

    pub const fn ended(self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Succeeded => self.chinese("succeeded", "成功"),
            Outcome::Failed => self.chinese("failed", "失败"),
            Outcome::Refused => self.chinese("refused", "被拒绝"),
            Outcome::Unknown => self.chinese("outcome unknown", "结果未知"),
        }
    }

    pub const fn means(self, means: Means) -> &'static str {
        match means {
            Means::Password => self.chinese("password", "密码"),
            Means::SignInLink => self.chinese("sign-in link", "登录链接"),
            Means::Token => self.chinese("token", "令牌"),
            Means::TrustedHeader => {
                self.chinese("unsigned identity of a proxy", "代理的未签名身份")
            }
            Means::JwtHeader => self.chinese("signed identity of a proxy", "代理的签名身份"),
            Means::CommandLine => self.chinese("command line", "命令行"),
            Means::Console => self.chinese("the console", "控制台"),
            Means::Nobody => self.chinese("not identified", "未识别"),
            Means::Oidc => self.chinese("OpenID provider", "OpenID 提供方"),
            Means::BreakGlass => self.chinese("break-glass", "紧急访问"),
        }
    }

    pub fn role(self, role: &str) -> String {
        let chinese = match role {
            "voter" => "投票成员",
            "learner" => "学习成员",
            "witness" => "见证成员",
            other => other,
        };
        match self.0 {
            Language::English => role.to_owned(),
            Language::Chinese => chinese.to_owned(),
        }
    }

    /// An action, readable; one that has no name here keeps the record's.
    pub fn action(self, action: &str) -> String {
        if self.0 == Language::English {
            return action.replace('_', " ");
        }
        let chinese = match action {
            "add_learner" => "添加学习成员",
            "promote" => "提升为投票成员",
            "demote" => "降为学习成员",
            "remove" => "移除成员",
            "transfer" => "移交领导权",
            "snapshot" => "创建快照",
            "defragment" => "整理碎片",
            "check_integrity" => "检查完整性",
            "sign_in" => "登录",
            "sign_out" => "退出登录",
            "break_glass_link" => "创建紧急访问链接",
            "break_glass_sign_in" => "紧急访问登录",
            "audit_read" => "查看审计日志",
            "audit_exported" => "导出审计日志",
            "snapshot_downloaded" => "下载快照",
            "token_created" => "创建令牌",
            "token_revoked" => "撤销令牌",
            "account_created" => "创建账户",
            "approval_requested" => "请求批准",
            "approved" | "approve" => "批准",
            "denied" | "deny" => "否决",
            "approval_expired" => "批准请求过期",
            "approval_void" => "批准作废",
            "approval_lapsed" => "批准失效",
            "change_cancelled" | "cancel" => "撤回变更",
            "override_set" => "手动设定状态",
            "override_lifted" => "取消手动状态",
            other => other,
        };
        chinese.to_owned()
    }
}
