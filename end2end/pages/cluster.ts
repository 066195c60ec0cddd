// A cluster's page as a person uses it: by its table, its buttons and its dialog.

import { expect, type Locator, type Page } from "@playwright/test";

export type Verb = "Add learner" | "Promote" | "Demote" | "Remove" | "Transfer leadership" | "Make leader" | "Take snapshot" | "Defragment";

/** A change that was carried out, and where it is on record. */
export interface Done {
  reason: string;
  intent: number;
  outcome: number;
}

/** A change that the cluster refused; nothing of it holds. */
class Failed extends Error {}

export class ClusterPage {
  constructor(readonly page: Page) {}

  /** Opens it and waits until scripts run and the page is live. */
  async open(address: string, name: string): Promise<this> {
    await this.page.goto(`${address}/clusters/${name}`);
    await this.live();
    return this;
  }

  async live() {
    await expect(this.page.getByText(/^live, /)).toBeVisible();
  }

  get table(): Locator {
    return this.page.getByRole("main").getByRole("table", { name: /members/i });
  }

  row(member: string): Locator {
    return this.table.getByRole("row").filter({ has: this.page.getByRole("rowheader", { name: member }) });
  }

  get leaderRow(): Locator {
    return this.table.getByRole("row").filter({ has: this.page.getByText("leader", { exact: true }) });
  }

  /** The verdict in one sentence. */
  get sentence(): Locator {
    return this.page.locator(".head-sentence");
  }

  get dialog(): Locator {
    return this.page.getByRole("dialog");
  }

  /** The button that asks for a change; of the page itself where no member is named. */
  button(verb: Verb, member?: string): Locator {
    const where = member === undefined ? this.page.locator("header.head") : this.row(member);
    // Its name begins with the verb; why it cannot be pressed may name others.
    return where.getByRole("button", { name: new RegExp(`^${verb}`) });
  }

  /** The button, with its row's "More" opened where it stands behind that. */
  async reach(verb: Verb, member?: string): Promise<Locator> {
    const button = this.button(verb, member);
    if (member !== undefined) {
      await expect(this.row(member)).toBeVisible();
      if (!(await button.isVisible())) await this.row(member).locator("summary").click();
    }
    return button;
  }

  /** Opens the dialog. */
  async ask(verb: Verb, member?: string): Promise<Locator> {
    await (await this.reach(verb, member)).click();
    await expect(this.dialog).toBeVisible();
    return this.dialog;
  }

  /**
   * Fills in a reason, confirms, and waits until the console has seen it done. Where the cluster
   * moved in between (a busy machine costs a leader its following now and then), it is reviewed
   * again, as a person would.
   */
  async carryOut(verb: Verb, reason: string) {
    await this.dialog.getByLabel(/^Reason/).fill(reason);
    const confirm = this.dialog.getByRole("button", { name: verb, exact: true });
    const done = this.dialog.getByText("succeeded", { exact: true });
    const again = this.dialog.getByRole("button", { name: "Review again" });
    const failed = this.dialog.getByText("failed", { exact: true });
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await expect(confirm.or(again)).toBeVisible();
      if (!(await again.isVisible())) {
        await expect(confirm).not.toHaveAttribute("aria-disabled", "true", { timeout: 20_000 });
        await confirm.click();
        await expect(done.or(again).or(failed)).toBeVisible({ timeout: 45_000 });
      }
      if (await failed.isVisible()) throw new Failed(await this.dialog.getByRole("status").first().innerText());
      if (await done.isVisible()) return;
      await again.click();
    }
    await expect(done).toBeVisible();
  }

  /** The whole of it: opens the dialog, prepares what this verb asks for, and carries it out. */
  async change(verb: Verb, member?: string, prepare?: (dialog: Locator) => Promise<void>): Promise<Done> {
    const reason = `Journey: ${verb} ${member ?? ""}`.trim();
    for (let attempt = 1; ; attempt += 1) {
      await this.ask(verb, member);
      await prepare?.(this.dialog);
      try {
        await this.carryOut(verb, reason);
        return { reason, ...(await this.closeAndRead()) };
      } catch (error) {
        // A program that got no time to answer refuses: then nothing of it holds, and it is asked for again.
        if (!(error instanceof Failed) || attempt === 4) throw error;
        await this.closeAndRead();
      }
    }
  }

  /** Closes the dialog after a change and returns the numbers of its audit entries. */
  async closeAndRead(): Promise<{ intent: number; outcome: number }> {
    const number = async (kind: string) => {
      const link = this.dialog.getByRole("link", { name: new RegExp(`Audit entry \\d+ \\(${kind}\\)`) });
      await expect(link).toBeVisible();
      return Number(/\d+/.exec(await link.innerText())![0]);
    };
    const seen = { intent: await number("intent"), outcome: await number("outcome") };
    await this.dialog.getByRole("button", { name: "Close" }).click();
    await expect(this.dialog).toBeHidden();
    return seen;
  }
}

/** One moment of what the page showed. */
export interface Shown {
  /** Milliseconds since 1970, by the machine all of this runs on. */
  at: number;
  leader: string | null;
}

/** Records, from inside the page, whenever the leader it shows changes. */
export async function recordLeader(page: Page) {
  await page.evaluate(() => {
    const shown = () => {
      const tag = document.querySelector("main table .role-leader");
      return tag?.closest("tr")?.querySelector("th")?.querySelector("[data-member], a, button, strong, span")?.textContent?.trim()
        ?? tag?.closest("tr")?.querySelector("th")?.textContent?.trim() ?? null;
    };
    const seen = [{ at: Date.now(), leader: shown() }];
    Object.assign(window, { shownLeaders: seen });
    new MutationObserver(() => {
      const leader = shown();
      if (leader !== seen[seen.length - 1]!.leader) seen.push({ at: Date.now(), leader });
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
}

export async function shownLeaders(page: Page): Promise<Shown[]> {
  return page.evaluate(() => (window as unknown as { shownLeaders: Shown[] }).shownLeaders);
}
