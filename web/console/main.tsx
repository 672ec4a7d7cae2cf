/// <reference lib="dom" />
import { render } from "preact";
import { App } from "./app.tsx";
import { Feed } from "./feed.ts";

const root = document.getElementById("app");
if (root === null) throw new Error("The page has no element #app");
const feed = new Feed();
feed.start();
render(<App feed={feed} />, root);
