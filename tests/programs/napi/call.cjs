// What call.h does, in JavaScript: the reference. node call.cjs PACKAGE [new|get] NAME [JSON...] [, ...]
const [packageFolder, ...words] = process.argv.slice(2);

(async () => {
    let current = require(packageFolder);
    while (words.length > 0) {
        const how = ['new', 'get'].includes(words[0]) ? words.shift() : 'call';
        const name = words.shift();
        const end = words.includes(',') ? words.indexOf(',') : words.length;
        const given = words.splice(0, end + 1).slice(0, end);
        const values = given.map((word) => (word === '-' ? require('fs').readFileSync(0, 'utf8') : JSON.parse(word)));
        if (how === 'get') current = current[name];
        else current = how === 'new' ? new current[name](...values) : await current[name](...values);
    }
    console.log(JSON.stringify(current));
})();
