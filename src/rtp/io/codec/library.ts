/** Finding the system's shared libraries, and allocating what they hand out. */

/** File names to try, the exact version that the code was written for first. */
export interface LibraryNames {
  readonly linux: readonly string[];
  readonly darwin: readonly string[];
}

/** Folders of package managers that the loader of macOS does not search. */
const DARWIN_FOLDERS = ["", "/opt/homebrew/lib/", "/usr/local/lib/"];

function candidates(names: LibraryNames): readonly string[] {
  if (Deno.build.os === "linux") return names.linux;
  if (Deno.build.os !== "darwin") return [];
  return DARWIN_FOLDERS.flatMap((folder) => names.darwin.map((name) => folder + name));
}

/**
 * Opens the first of the files that loads and has all symbols.
 * @throws Error in words, naming what was tried
 */
export function openLibrary<const S extends Deno.ForeignLibraryInterface>(
  names: LibraryNames,
  symbols: S,
): Deno.DynamicLibrary<S> {
  const files = candidates(names);
  if (files.length === 0) throw new Error(`not looked for on ${Deno.build.os}`);
  let why = "";
  for (const file of files) {
    try {
      return Deno.dlopen(file, symbols);
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
      if (error instanceof Deno.errors.NotCapable) throw new Error("no permission (--allow-ffi)");
    }
  }
  // The loader's message repeats the file's name; its first line says enough.
  throw new Error(`${files[0]} does not load: ${why.split("\n")[0]}`);
}

/**
 * C functions with `...` take their arguments like others on x86-64 and on arm64 Linux, and
 * otherwise on Apple's arm64; FFI cannot call those there.
 */
export function canCallVariadic(): boolean {
  return !(Deno.build.os === "darwin" && Deno.build.arch === "aarch64");
}

/** A state made by a library; null means that it was out of memory or refused. */
export function mustExist(pointer: Deno.PointerValue, what: string): Deno.PointerObject {
  if (pointer === null) throw new Error(`${what}: the library gave no state`);
  return pointer;
}
