console.log('module', __VU);
