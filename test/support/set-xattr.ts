/** Run as a program: prints an extended attribute of a file, after setting it where a value is given. `set-xattr.ts FILE NAME [VALUE]`. */
import { KernelClient } from "./fs-client-kernel.ts";

const [file = "", name = "", value] = process.argv.slice(2);
const client = new KernelClient("/", 0);
if (value !== undefined) await client.setxattr(file, name, Buffer.from(value));
process.stdout.write(await client.getxattr(file, name));
