// The subscriptions of the tabs. GraphiQL ends a subscription when another tab is opened. Here it continues: its results
// are kept, and shown when its tab is opened again.

class Stream {
  #waiting = [];
  #source;
  count = 0;
  last = undefined;
  isDone = false;
  error = undefined;

  constructor(source) {
    this.#source = source;
    this.#receive();
  }

  async #receive() {
    try {
      for await (const result of this.#source) {
        this.last = result;
        this.count += 1;
        this.wake();
      }
    } catch (error) {
      this.error = error;
    }
    this.isDone = true;
    this.wake();
  }

  wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  changed() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end() {
    this.#source.return?.();
  }
}

export class Streams {
  /** By the id of the tab. */
  #streams = new Map();
  #tabs = [];
  #active = null;
  /** Whether the tab of a subscription is left, which does not end it. */
  #isLeaving = false;
  /** Whether a tab that has a subscription is opened again. */
  isReturning = false;

  /** The results of a subscription of the active tab: of the one that it already has, when the tab is opened again. */
  open(start) {
    const tab = this.#active;
    let stream = this.#streams.get(tab);
    if (!stream || !this.isReturning) {
      stream?.end();
      stream = new Stream(start());
      this.#streams.set(tab, stream);
    }
    return this.#view(tab, stream);
  }

  /** The latest result and those that follow, until the subscription ends or the tab is left. */
  #view(tab, stream) {
    const forget = () => {
      if (this.#streams.get(tab) === stream) this.#streams.delete(tab);
    };
    let [seen, isClosed] = [0, false];
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        while (!isClosed && !stream.isDone && seen === stream.count) await stream.changed();
        if (isClosed) return { done: true, value: undefined };
        if (seen < stream.count) {
          seen = stream.count;
          return { done: false, value: stream.last };
        }
        forget();
        if (stream.error) throw stream.error;
        return { done: true, value: undefined };
      },
      return: async () => {
        isClosed = true;
        stream.wake();
        if (!this.#isLeaving) {
          forget();
          stream.end();
        }
        return { done: true, value: undefined };
      },
    };
  }

  /** Replaces the actions of GraphiQL that end subscriptions. */
  attach(actions) {
    const { changeTab, addTab, closeTab } = actions;
    actions.changeTab = (index) => this.#leave(() => changeTab(index));
    actions.addTab = () =>
      this.#leave(() => {
        actions.stop();
        addTab();
      });
    actions.closeTab = (index) => {
      const tab = this.#tabs[index];
      closeTab(index);
      this.#streams.get(tab)?.end();
      this.#streams.delete(tab);
    };
  }

  #leave(change) {
    this.#isLeaving = true;
    try {
      change();
    } finally {
      this.#isLeaving = false;
    }
  }

  /** Notes which tabs there are. Shows the subscription of a tab that is opened again. */
  show(tabs, active, actions) {
    this.#tabs = tabs;
    if (this.#active === active) return;
    this.#active = active;
    if (!this.#streams.has(active)) return;
    this.isReturning = true;
    try {
      // Reaches `open` before it waits for anything.
      actions.run();
    } finally {
      this.isReturning = false;
    }
  }
}
