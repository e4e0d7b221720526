// --log-output file=...,level=...: lines of that level and above go to the file, the console's among them.
export default function () {
  console.log('too low');
  console.warn('a warning');
  console.error('an error');
  throw new Error('thrown');
}
