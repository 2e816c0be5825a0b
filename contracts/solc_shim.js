// Speaks the part of solc's command line that py-solc-x uses, with the compiler from npm: for
// machines on which the native compiler cannot be downloaded. `solcjs` itself prints a line before
// the JSON and loses input and output beyond 64 kB.
"use strict";
const fs = require("fs");
const solc = require("solc");

function print(text) {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

if (process.argv.includes("--version")) {
  print(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else {
  // Every source is in the input, so no import is ever looked up.
  print(solc.compile(fs.readFileSync(0, "utf8")) + "\n");
}
