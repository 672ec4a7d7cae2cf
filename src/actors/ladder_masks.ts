/**
 * What an operator may not see of a recorded message: digest responses, media keys, and tokens of
 * endpoints. Each is overwritten by as many asterisks, so that lengths stay true.
 */
const SECRETS: readonly RegExp[] = [
  // RFC 7616 3.4: whoever has the response can try passwords on it.
  /(^(?:proxy-)?authorization[ \t]*:(?:[^\r\n]|\r\n[ \t])*?\bresponse[ \t]*=[ \t]*"?)([0-9a-f]+)/gim,
  /(^(?:proxy-)?authorization[ \t]*:[ \t]*basic[ \t]+)(\S+)/gim,
  // RFC 4568 6.1.
  /(^a=crypto:.*?inline:)([^|\s]+)/gim,
  // RFC 8839 5.4: with it anybody passes for the browser.
  /(^a=ice-pwd:)(\S+)/gim,
  /(x-pz-endpoint[:=])([^\s;>"]+)/gi,
];

export function maskSecrets(text: string): string {
  return SECRETS.reduce(
    (masked, secret) =>
      masked.replace(secret, (_, before: string, hidden: string) => before + star(hidden)),
    text,
  );
}

function star(hidden: string): string {
  return "*".repeat(hidden.length);
}
