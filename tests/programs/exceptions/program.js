// A calculator and a walk that throws on its way back: exceptions within loops, functions and each other.
const tokens = [];
let at = 0, depth = 0, left = 0;

function tokenize(text) {
    tokens.length = 0;
    at = 0;
    for (const word of text.split(' ')) {
        if (word.length === 0) throw new SyntaxError('two spaces');
        tokens.push(word);
    }
}
function primary() {
    if (at >= tokens.length) throw new RangeError('the end');
    const token = tokens[at++];
    if (token === '(') {
        const value = sum();
        if (at >= tokens.length || tokens[at] !== ')') throw new SyntaxError('no closing parenthesis');
        at++;
        return value;
    }
    const value = Number(token);
    if (isNaN(value)) throw new TypeError('no number: ' + token);
    return value;
}
function product() {
    let value = primary();
    while (at < tokens.length && (tokens[at] === '*' || tokens[at] === '/')) {
        const operator = tokens[at++];
        const right = primary();
        if (operator === '/' && right === 0) throw new RangeError('division by zero');
        value = operator === '*' ? value * right : value / right;
    }
    return value;
}
function sum() {
    let value = product();
    while (at < tokens.length && (tokens[at] === '+' || tokens[at] === '-')) {
        const operator = tokens[at++];
        const right = product();
        value = operator === '+' ? value + right : value - right;
    }
    return value;
}
function outcome(text) {
    try {
        tokenize(text);
        const value = sum();
        if (at < tokens.length) throw new SyntaxError('something is left: ' + tokens[at]);
        return 'is ' + value;
    } catch (error) {
        return error.name + ', ' + error.message;
    }
}
for (const text of ['1 + 2 * 3', '( 4 + 5 ) * ( 6 - 7 )', '8 / ( 3 - 3 )', '2 * ( 3 +', '5 5', '1  2', '( ( 9 ) )', '7 / 2', 'x', '( 1']) {
    console.log(text + ' ' + outcome(text));
}

function walk(n) {
    depth++;
    try {
        if (n === 0) throw new TypeError('bottom');
        walk(n - 1);
    } catch (error) {
        left++;
        if (n % 3 === 0) throw new Error(error.message + ' ' + n);
        throw error;
    }
}
let last = '';
for (let i = 0; i < 2000; i++) {
    try {
        walk(i % 20);
    } catch (error) {
        last = error.message;
    }
}
console.log(last + ', ' + depth + ' in, ' + left + ' out');
