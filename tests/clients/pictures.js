// Takes pictures of every screen of the web client, at two widths, light and dark, with people who prepare an exhibition:
// node pictures.js FOLDER. `just pictures FOLDER` builds the server and runs it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { withServer } from "./server.js";

const [, , folder] = process.argv;
if (!folder) throw new Error("name the folder for the pictures");
/** Set once the server runs. */
let close, launch, origin, request;
const PASSWORD = "over, under, over, under";
const people = {};
let browser;
let room;
let thread;

const NAMES = {
  ada: "Ada Lindqvist", ben: "Ben Adeyemi", layla: "Layla Haddad", kenji: "Kenji Mori", ines: "Ines Duarte",
  tomas: "Tomás Rey", aiko: "Aiko Tanabe", mira: "Mira Solberg", pim: "Pim de Wit",
};

async function register(username, displayName) {
  const { register } = await request(
    `mutation ($input: RegisterInput!) { register(input: $input) { auth { accessToken viewer { user { id } } } } }`,
    { input: { username, displayName, email: `${username}@loom.example`, password: PASSWORD } },
  );
  people[username] = { id: register.auth.viewer.user.id, token: register.auth.accessToken };
}

const as = (username, query, input) => request(`mutation ($input: ${query.input}!) { ${query.text} }`, { input }, people[username].token);
const CREATE = { input: "CreateConversationInput", text: "createConversation(input: $input) { conversation { id } }" };
const DIRECT = { input: "OpenDirectConversationInput", text: "openDirectConversation(input: $input) { conversation { id } }" };
const SEND = { input: "SendMessageInput", text: "sendMessage(input: $input) { message { id thread { id } } }" };
const EDIT = { input: "EditMessageInput", text: "editMessage(input: $input) { message { id } }" };
const DELETE = { input: "DeleteMessageInput", text: "deleteMessage(input: $input) { deletedMessageId }" };
const READ = { input: "MarkConversationsReadInput", text: "markConversationsRead(input: $input) { markedCount }" };
const READ_THREAD = { input: "MarkThreadReadInput", text: "markThreadRead(input: $input) { markedCount }" };
const SETTINGS = { input: "UpdateConversationSettingsInput", text: "updateConversationSettings(input: $input) { conversation { id } }" };
const PRESENCE = { input: "SetPresenceInput", text: "setPresence(input: $input) { user { id } }" };

async function send(who, conversationId, body, parentId = null) {
  const { sendMessage } = await as(who, SEND, { conversationId, body, parentId });
  return sendMessage.message;
}

async function group(title, members, topic = null) {
  const participantIds = members.map((name) => people[name].id);
  const { createConversation } = await as("mira", CREATE, { title, topic, participantIds });
  return createConversation.conversation.id;
}

/** A message and its replies, depth first. */
async function talk(conversationId, parentId, replies) {
  const ids = [];
  for (const [who, body, ...below] of replies) {
    const { id, thread: of } = await send(who, conversationId, body, parentId);
    thread = of.id;
    ids.push(id, ...(await talk(conversationId, id, below)));
  }
  return ids;
}

async function prepare() {
  mkdirSync(folder, { recursive: true });
  for (const [username, name] of Object.entries(NAMES)) await register(username, name);
  const all = Object.keys(NAMES).filter((name) => name !== "mira");
  const old = [];
  for (const title of ["Guild announcements", "Transport and insurance", "Natural dyes 🌿", "ترجمة بطاقات المعرض", "Bug hunt: the lost shuttle", "織物展 2027 東京"]) old.push(await group(title, all.slice(0, 5)));
  for (const [at, who] of ["kenji", "layla", "ben", "aiko"].entries()) {
    const { openDirectConversation: done } = await as(who, DIRECT, { userIds: [people.ada.id] });
    await send(who, done.conversation.id, "The matt stock is in tray 2.");
    if (at < 3) await as("ada", READ, { conversations: [{ conversationId: done.conversation.id }] });
    if (who === "ben") await as("ada", SETTINGS, { conversationId: done.conversation.id, isPinned: true });
  }
  for (const id of old.slice(0, 4)) await as("ada", READ, { conversations: [{ conversationId: id }] });
  await as("ada", SETTINGS, { conversationId: old[0], mutedUntil: "2099-01-01T00:00:00Z" });
  room = await group("Exhibition planning", all, "Opening 12 December, north hall. Plans, labels, looms.");
  await as("ada", SETTINGS, { conversationId: room, isPinned: true });
  await send("layla", room, "وصلت بطاقات المعرض من المطبعة، والألوان ممتازة.");
  await send("layla", room, "The cards are here, and the colours are right. The indigo is _our_ indigo.");
  const root = await send("tomas", room, "The gallery confirmed the floor load: 350 kg/m². The big loom weighs 210 kg, so it can stand anywhere but on the glass. Where do we want it?");
  await send("aiko", room, "「綜絖」の読みは「そうこう」です。ラベルの訳は全部確認しました。");
  const gone = await send("aiko", room, "Never mind.");
  await talk(room, gone.id, [["kenji", "Which one?"]]);
  await as("aiko", DELETE, { messageId: gone.id });
  await talk(room, root.id, [
    ["ben", "By the north window, for the morning light.",
      ["aiko", "Good light, but that radiator dries the linen.",
        ["layla", "تركناه قرب المدفأة العام الماضي فانقطع ١٤ خيطًا.",
          ["kenji", "湿度は55%以上が安心です。",
            ["ines", "I have two loggers. Beam and window?",
              ["ben", "Beam. The window measures sun ☀️", ["aiko", "At thread height, then.", ["ines", "Done. 58 % at noon."]]]]]]],
      ["mira", "The window is also the fire exit. I will ask.", ["ada", "Thank you! The plan needs it by Friday."]]],
  ]);
  await as("ada", READ, { conversations: [{ conversationId: room }] });
  await as("ada", READ_THREAD, { threadId: thread });
  await talk(room, root.id, [["tomas", "I will ask them to turn it off from Monday.", ["pim", "They can do it today, I just asked."], ["kenji", "助かります！"]]]);
  await send("ben", room, "Labels build again. @ada, can you print one of each script before noon?\n\n```sh\nlabels --from works.csv --lang en,ar,ja \\\n  --size A6 --bleed 3mm   # 48 works, 3 scripts\n```");
  const walk = await send("ines", room, "I walked the route from the lift to the north hall with a tape. The beam is 4.10 m and the corner leaves 4.02 m, so it has to go through upright.");
  await as("ines", EDIT, { messageId: walk.id, body: "I walked the route from the lift to the north hall with a tape measure. The beam is 4.10 m and the corner by the cloakroom leaves 4.02 m, so it has to go through upright, or we take the breast beam off first. Eight bolts, one hour.", reason: "Measured again with Pim" });
  const release = await group("Release 0.9", ["ada", "kenji", "ines"]);
  await send("kenji", release, "@ada, which migrations lock the table?");
  await as("kenji", PRESENCE, { status: "BUSY" });
}

async function open(width, theme) {
  const isPhone = width < 720;
  const context = await browser.newContext({
    viewport: { width, height: isPhone ? 844 : 900 }, deviceScaleFactor: isPhone ? 2 : 1, colorScheme: theme, hasTouch: isPhone,
    isMobile: isPhone, reducedMotion: "reduce", locale: "en-GB",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return page;
}

async function take(width, theme) {
  const page = await open(width, theme);
  const shot = async (name) => {
    await page.evaluate(() => document.fonts.ready);
    await page.waitForLoadState("networkidle").catch(() => {});
    await page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`) });
  };
  await page.goto(origin);
  await page.getByLabel("Email or username").waitFor();
  await shot("signin");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByLabel("Username").fill("ada");
  await page.getByLabel("Email").fill("ada@loom.example");
  await page.getByLabel("Password", { exact: true }).fill("weave");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("alert").waitFor();
  await shot("register");
  await page.goto(`${origin}/setup#hst_x`);
  await page.getByRole("heading", { name: "Set up this server" }).waitFor();
  await shot("setup");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Email or username").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".sidebar [data-conversation]").first().waitFor();
  await shot("home");
  await page.goto(`${origin}/c/${room}`);
  await page.locator(".timeline .message").last().waitFor();
  await shot("timeline");
  await page.goto(`${origin}/t/${thread}`);
  await page.locator(".tree .reply").last().waitFor();
  await shot("thread");
  await page.getByRole("button", { name: "Time", exact: true }).click();
  await shot("thread-time");
  await page.getByRole("button", { name: "Tree", exact: true }).click();
  await page.goto(`${origin}/c/${room}`);
  await page.getByRole("button", { name: "edited" }).click();
  await page.getByRole("dialog").locator("ins").first().waitFor();
  await shot("history");
  await page.goto(`${origin}/inbox`);
  await page.locator(".item").first().waitFor();
  await shot("inbox");
  await page.goto(`${origin}/inbox#threads`);
  await page.locator(".is-thread").first().waitFor();
  await shot("threads");
  await page.goto(`${origin}/c/${room}?details`);
  await page.locator(".person").last().waitFor();
  await shot("details");
  await page.goto(`${origin}/settings`);
  await page.getByText("This device").waitFor();
  await shot("settings");
  await page.goto(origin);
  await page.locator(".sidebar").getByRole("button", { name: "New conversation" }).click();
  await page.getByRole("option").first().waitFor();
  await shot("new");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("option").first().waitFor();
  await shot("palette");
  await page.context().close();
}

await withServer(async () => {
  ({ close, launch } = await import("./browser.js"));
  ({ origin, request } = await import("./people.js"));
  await prepare();
  browser = await launch();
  try {
    for (const width of [1440, 390]) for (const theme of ["light", "dark"]) await take(width, theme);
  } finally {
    await close();
  }
});
