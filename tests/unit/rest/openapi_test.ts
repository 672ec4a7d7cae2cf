import assert from "node:assert/strict";
import { API_OPERATIONS } from "../../../src/rest/api_operations.ts";
import { LEGACY_OPERATIONS } from "../../../src/rest/legacy_operations.ts";
import { docsPage } from "../../../src/rest/docs_page.ts";
import { openApiDocument } from "../../../src/rest/openapi.ts";

const OPERATIONS = [...API_OPERATIONS, ...LEGACY_OPERATIONS];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const TYPES = ["string", "number", "integer", "boolean", "object", "array", "null"];
const SCHEMA_KEYWORDS = new Set([
  ..."type format pattern enum const description title default examples anyOf allOf oneOf".split(
    " ",
  ),
  ..."properties required additionalProperties propertyNames items prefixItems $ref".split(" "),
  ..."minimum maximum minLength maxLength minItems maxItems".split(" "),
]);

/** What is wrong with an OpenAPI 3.1 document, each with its place; empty where nothing is. */
function faultsOf(document: JsonObject): string[] {
  const faults: string[] = [];
  const expect = (holds: unknown, place: string, what: string): void => {
    if (!holds) faults.push(`${place}: ${what}`);
  };
  const resolve = (reference: string): Json | undefined =>
    reference.slice(2).split("/").reduce<Json | undefined>(
      (at, key) => isObject(at) ? at[key] : undefined,
      document,
    );

  function checkSchema(schema: Json | undefined, place: string): void {
    if (typeof schema === "boolean") return;
    if (!isObject(schema)) return expect(false, place, "a schema is an object or a boolean");
    for (const key of Object.keys(schema)) {
      expect(SCHEMA_KEYWORDS.has(key), place, `unknown keyword ${key}`);
    }
    if ("$ref" in schema) {
      const reference = String(schema.$ref);
      expect(reference.startsWith("#/components/schemas/"), place, `reference ${reference}`);
      expect(resolve(reference) !== undefined, place, `${reference} leads nowhere`);
    }
    const types = schema.type === undefined ? [] : [schema.type].flat();
    for (const type of types) expect(TYPES.includes(String(type)), place, `type ${type}`);
    if (typeof schema.pattern === "string") new RegExp(schema.pattern, "u");
    const properties = schema.properties ?? {};
    expect(isObject(properties), place, "properties is an object");
    for (const [name, part] of Object.entries(properties)) checkSchema(part, `${place}.${name}`);
    for (const name of (schema.required ?? []) as Json[]) {
      expect(String(name) in (properties as JsonObject), place, `required ${name} is no property`);
    }
    for (const key of ["anyOf", "allOf", "oneOf", "prefixItems"]) {
      if (key in schema) {
        expect(Array.isArray(schema[key]) && schema[key].length > 0, place, `${key} is a list`);
        [schema[key]].flat().forEach((part, i) => checkSchema(part, `${place}.${key}.${i}`));
      }
    }
    for (const key of ["items", "additionalProperties", "propertyNames"]) {
      if (key in schema) checkSchema(schema[key], `${place}.${key}`);
    }
  }

  function checkContent(content: Json | undefined, place: string): void {
    if (!isObject(content)) return expect(false, place, "content is an object");
    for (const [type, media] of Object.entries(content)) {
      expect(/^[\w.+-]+\/[\w.+-]+$/.test(type), place, `media type ${type}`);
      if (isObject(media)) checkSchema(media.schema, `${place} ${type}`);
      else expect(false, place, "a media type is an object");
    }
  }

  function checkOperation(path: string, operation: JsonObject, place: string): void {
    expect(/^[a-z]\w+$/i.test(String(operation.operationId)), place, "operationId");
    expect(operation.summary, place, "a summary");
    const parameters = operation.parameters as JsonObject[];
    const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
    expect(new Set(keys).size === keys.length, place, "a parameter twice");
    for (const parameter of parameters) {
      expect(["path", "query", "header"].includes(String(parameter.in)), place, "in");
      expect(parameter.description, place, `description of ${parameter.name}`);
      if (parameter.in === "path") expect(parameter.required === true, place, "path is required");
      checkSchema(parameter.schema, `${place} ${parameter.name}`);
    }
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => `path ${match[1]}`);
    assert.deepEqual(keys.filter((key) => key.startsWith("path ")), inPath, place);
    if (isObject(operation.requestBody)) checkContent(operation.requestBody.content, place);
    const responses = operation.responses as JsonObject;
    expect(Object.keys(responses).some((status) => /^2\d\d$/.test(status)), place, "a success");
    for (const [status, response] of Object.entries(responses)) {
      expect(/^[1-5]\d\d$/.test(status), place, `status ${status}`);
      if (!isObject(response) || typeof response.description !== "string") {
        expect(false, place, "a response has a description");
      } else if ("content" in response) checkContent(response.content, `${place} ${status}`);
    }
  }

  expect(document.openapi === "3.1.0", "openapi", "3.1.0");
  const info = document.info;
  expect(isObject(info) && info.title && info.version, "info", "title and version");
  const ids: string[] = [];
  for (const [path, methods] of Object.entries(document.paths as JsonObject)) {
    expect(path.startsWith("/"), path, "starts with a slash");
    for (const [method, operation] of Object.entries(methods as JsonObject)) {
      expect(["get", "post", "delete"].includes(method), path, `method ${method}`);
      checkOperation(path, operation as JsonObject, `${method} ${path}`);
      ids.push(String((operation as JsonObject).operationId));
    }
  }
  expect(new Set(ids).size === ids.length, "paths", "an operationId twice");
  const components = document.components as JsonObject;
  for (const [name, schema] of Object.entries(components.schemas as JsonObject)) {
    checkSchema(schema, name);
  }
  for (const each of document.security as JsonObject[]) {
    for (const name of Object.keys(each)) {
      expect(name in (components.securitySchemes as JsonObject), "security", name);
    }
  }
  return faults;
}

function asJson(): JsonObject {
  return JSON.parse(JSON.stringify(openApiDocument(OPERATIONS, "1.2.3", true)));
}

Deno.test("the document is valid OpenAPI 3.1", () => {
  assert.deepEqual(faultsOf(asJson()), []);
});

Deno.test("the validator sees what is broken", () => {
  const breaks: readonly ((paths: JsonObject, schemas: JsonObject) => void)[] = [
    (_, schemas) => delete schemas.Termination,
    (_, schemas) => (schemas.Call as JsonObject).type = "text",
    (_, schemas) => (schemas.Worker as JsonObject).required = ["nothing"],
    (_, schemas) => (schemas.Worker as JsonObject).$defs = {},
    (paths) => ((paths["/api/calls"] as JsonObject).get as JsonObject).responses = {},
    (paths) => ((paths["/api/calls"] as JsonObject).get as JsonObject).operationId = "getHealth",
  ];
  for (const damage of breaks) {
    const document = asJson();
    damage(document.paths as JsonObject, (document.components as JsonObject).schemas as JsonObject);
    assert.notDeepEqual(faultsOf(document), [], damage.toString());
  }
});

Deno.test("each operation is in the document, and its page shows each", () => {
  const document = openApiDocument(OPERATIONS, "1.2.3", false);
  const page = docsPage(document);
  for (const { path, method, id } of OPERATIONS) {
    assert.equal(document.paths[path]?.[method.toLowerCase()]?.operationId, id);
    assert.ok(page.includes(`id="${id}"`), id);
  }
  assert.ok(page.includes('id="streamEvents"'));
  assert.doesNotMatch(page, /<script|src=|https?:/);
});

Deno.test("no operation that writes goes by GET", () => {
  for (const { isWrite, method, id } of OPERATIONS) {
    assert.ok(!isWrite || method !== "GET", id);
    assert.ok(isWrite || method !== "DELETE", id);
  }
});
