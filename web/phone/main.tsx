/// <reference lib="dom" />
import { render } from "preact";
import { App } from "./app.tsx";
import { insecurePage, Phone } from "./phone.ts";

const root = document.getElementById("app");
if (root === null) throw new Error("The page has no element #app");
const phone = new Phone();
phone.notify(insecurePage() ?? null);
render(<App phone={phone} />, root);
